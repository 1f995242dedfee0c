"""The sections of the report: each measures several subjects under the same load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from app.embedded import Stores
from bench import bare_limits, mixed
from bench.load.http import HttpLoad
from bench.load.run import Clients
from bench.reporting.report import Report
from bench.reporting.rounds import HEADER, Contender, compete
from bench.subjects import subjects
from bench.subjects.processes import Server
from bench.subjects.subjects import Peer, Service, Subject
from bench.workloads import request_loads as loads
from bench.workloads.players import Player, make_players, make_server_token
from bench.workloads.scale import Scale

MANY_CONNECTIONS, FEW_CONNECTIONS = 64, 8


@dataclass(frozen=True)
class Bench:
    """What the sections share: the service, variants of it with one thing changed, and its peers."""

    scale: Scale
    stores: Stores
    clients: Clients
    players: Sequence[Player]
    service: Service
    service_without_cache: Service
    """`RESPONSE_CACHE_BYTES=0`."""
    service_not_compiling: Service
    """`RESPONSE_CACHE_BYTES=0` and `COMPILE_OPERATIONS=false`."""
    service_without_head_cache: Service
    """`REQUEST_HEAD_CACHE=false`."""
    service_without_limits: Service
    """`RATE_LIMIT_ENABLED=false`."""
    service_without_metrics: Service
    """Nothing is measured: see `bench.subjects.serve.unmeasured`."""
    service_without_events: Service
    """`EVENT_TYPES=none`."""
    service_with_scores_as_events: Service
    """`EVENT_TYPES=score.committed`."""
    service_with_all_events: Service
    """Every score is an event, and every change of the first hundred ranks."""
    peers: Sequence[Peer]
    report: Report

    @property
    def field(self) -> Sequence[Subject]:
        """The service and its peers."""
        return [self.service, *self.peers]

    def introduce_players(self, servers: Sequence[tuple[Subject, Server]]) -> None:
        """Let every player send one request to the service, which loads the profile of each new player."""
        for subject, server in servers:
            if subject is self.service:
                self.clients.run(loads.visit(server, self.players, MANY_CONNECTIONS))

    def compete(self, title: str, contenders: Sequence[Contender]) -> None:
        """Measure the contenders and add a table to the report."""
        scores = compete(self.clients, contenders, self.scale.rounds)
        self.report.table(title, HEADER, [one.row for one in scores])
        for one in scores:
            if one.first_error:
                self.report.note(f"The first error of {one.name}:\n\n{one.first_error}")


def queries(bench: Bench) -> None:
    """Measure queries of the first ten entries."""
    with ExitStack() as stack:
        servers = {
            "ours, cached answers": _serve(stack, bench.service),
            "ours, REQUEST_HEAD_CACHE=false": _serve(stack, bench.service_without_head_cache),
            "ours, RATE_LIMIT_ENABLED=false": _serve(stack, bench.service_without_limits),
            "ours, executed": _serve(stack, bench.service_without_cache),
            "ours, executed, COMPILE_OPERATIONS=false": _serve(stack, bench.service_not_compiling),
            **{peer.name: _serve(stack, peer) for peer in bench.peers},
            "bare Starlette": _until_end(stack, subjects.start_bare()),
        }
        contenders = [Contender(name, _querying(bench, server)) for name, server in servers.items()]
        bench.compete(f"leaderboard, authenticated, with variables, {MANY_CONNECTIONS} connections", contenders)


def submissions(bench: Bench) -> None:
    """Measure durable submissions over many and over few connections."""
    with ExitStack() as stack:
        servers = [(subject, _serve(stack, subject)) for subject in bench.field]
        bench.introduce_players(servers)
        for connections in (MANY_CONNECTIONS, FEW_CONNECTIONS):
            contenders = [
                Contender(subject.name, _submitting(bench, subject, server, connections)) for subject, server in servers
            ]
            bench.compete(f"submitScore, {connections} connections", contenders)


def game_server(bench: Bench) -> None:
    """Measure one game server with one access token beside the same number of players."""
    scale = bench.scale
    with ExitStack() as stack:
        server = _serve(stack, bench.service)
        bench.introduce_players([(bench.service, server)])
        token = make_server_token(bench.service.settings)
        report = partial(
            loads.reports, server, token, bench.players, MANY_CONNECTIONS, scale.seconds, scale.submissions
        )
        many = partial(loads.reports_of_many, server, token, bench.players, scale.seconds, scale.submissions)
        contenders = [
            Contender(
                f"{MANY_CONNECTIONS} players, submitScore", _submitting(bench, bench.service, server, MANY_CONNECTIONS)
            ),
            Contender("one server token, recordAction", report),
            Contender(f"one server token, recordActions of {loads.REPORTS}, one connection", many),
        ]
        bench.compete(f"One caller over {MANY_CONNECTIONS} connections", contenders)


def issues(bench: Bench) -> None:
    """Measure issues of action tokens."""
    with ExitStack() as stack:
        servers = [(subject, _serve(stack, subject)) for subject in bench.field]
        bench.introduce_players(servers)
        contenders = [
            Contender(
                subject.name,
                partial(loads.issues, server, bench.players, MANY_CONNECTIONS, bench.scale.seconds),
            )
            for subject, server in servers
        ]
        bench.compete(f"issueActionToken, {MANY_CONNECTIONS} connections", contenders)


def two_workers(bench: Bench) -> None:
    """Measure queries and submissions with two processes for each subject."""
    with ExitStack() as stack:
        servers = [(subject, _serve(stack, subject, workers=2)) for subject in bench.field]
        bench.introduce_players(servers)
        bench.compete(
            f"leaderboard, {MANY_CONNECTIONS} connections, two workers",
            [Contender(subject.name, _querying(bench, server)) for subject, server in servers],
        )
        bench.compete(
            f"submitScore, {MANY_CONNECTIONS} connections, two workers",
            [
                Contender(subject.name, _submitting(bench, subject, server, MANY_CONNECTIONS))
                for subject, server in servers
            ],
        )


def metrics(bench: Bench) -> None:
    """Measure what it costs to count and to measure, with queries from a cache and with submissions."""
    with ExitStack() as stack:
        servers = [
            (name, subject, _serve(stack, subject))
            for name, subject in (("with metrics", bench.service), ("without", bench.service_without_metrics))
        ]
        for _, _, server in servers:
            bench.clients.run(loads.visit(server, bench.players, MANY_CONNECTIONS))
        bench.compete(
            f"Cost of metrics: leaderboard, cached answers, {MANY_CONNECTIONS} connections",
            [Contender(name, _querying(bench, server)) for name, _, server in servers],
        )
        bench.compete(
            f"Cost of metrics: submitScore, {MANY_CONNECTIONS} connections",
            [
                Contender(name, _submitting(bench, subject, server, MANY_CONNECTIONS))
                for name, subject, server in servers
            ],
        )


def events(bench: Bench) -> None:
    """Measure what it costs to record every score as an event, with the leader in the same process."""
    with ExitStack() as stack:
        servers = [
            (name, subject, _serve(stack, subject))
            for name, subject in (
                ("none", bench.service_without_events),
                ("score.committed", bench.service_with_scores_as_events),
                ("all", bench.service_with_all_events),
            )
        ]
        for _, _, server in servers:
            bench.clients.run(loads.visit(server, bench.players, MANY_CONNECTIONS))
        bench.compete(
            f"Cost of events: submitScore, {MANY_CONNECTIONS} connections",
            [
                Contender(f"EVENT_TYPES: {name}", _submitting(bench, subject, server, MANY_CONNECTIONS))
                for name, subject, server in servers
            ],
        )


def ranks(bench: Bench) -> None:
    """Measure queries of one user's rank on a small and on a very large board."""
    with ExitStack() as stack:
        contenders = []
        for count in (1000, bench.scale.many_users):
            subject = Service(f"ours_{count}", bench.stores)
            viewer_count = min(count, 1000)
            players = make_players(count, subject.settings, signed_in=viewer_count)
            subject.fill(players)
            targets = players[:: count // viewer_count][:viewer_count]
            server = _serve(stack, subject)
            load = partial(loads.ranks, server, players[:viewer_count], targets, 16, bench.scale.seconds)
            contenders.append(Contender(f"ours, {count:,} users", load))
        bench.compete("userRank, 16 connections", contenders)


def everything(bench: Bench) -> None:
    """Measure watchers, changes and submissions at the same time."""
    subject = Service("ours_mixed", bench.stores)
    subject.fill(bench.players)
    outcome = mixed.measure(subject, bench.clients, bench.players, bench.players[0].score, bench.scale)
    bench.report.table("Watchers, changes of the board and submissions at once", mixed.HEADER, [outcome.row])


def limits(bench: Bench) -> None:
    """Measure the throughput of the stores alone."""
    commits = bare_limits.commits_per_second(bench.stores, bench.players, bench.scale.seconds)
    puts = bare_limits.puts_per_second(bench.stores, bench.players, bench.scale.seconds)
    rows = [
        ["PostgreSQL: one statement per commit, asyncpg, 20 connections", f"{commits:,.0f}"],
        ["Redis: ZADD and ZRANK, 64 users to a pipeline, redis-py", f"{puts:,.0f}"],
    ]
    bench.report.table("Bare limits of the stores", ("", "per second"), rows)


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "queries": queries,
    "submissions": submissions,
    "game-server": game_server,
    "issues": issues,
    "workers": two_workers,
    "metrics": metrics,
    "events": events,
    "ranks": ranks,
    "mixed": everything,
    "limits": limits,
}


def _serve(stack: ExitStack, subject: Subject, workers: int = 1) -> Server:
    return _until_end(stack, subject.start(workers))


def _until_end(stack: ExitStack, server: Server) -> Server:
    stack.callback(server.stop)
    return server


def _querying(bench: Bench, server: Server) -> Callable[[], HttpLoad]:
    return partial(loads.queries, server, bench.players, MANY_CONNECTIONS, bench.scale.seconds)


def _submitting(bench: Bench, subject: Subject, server: Server, connections: int) -> Callable[[], HttpLoad]:
    scale = bench.scale
    return partial(loads.submissions, subject, server, bench.players, connections, scale.seconds, scale.submissions)
