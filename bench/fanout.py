"""Fan-out: how long until thousands of watchers know, and what telling them costs.

    python -m bench.fanout [--watchers 1000 5000 10000] [--rounds 3] [--record]

Each round starts every subject anew, lets the same crowd of sockets in, and has the leader submit a score through the
API. The time runs from sending that submission until the kernel has the message at a receiver's socket.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.load.run import Watchers, raise_descriptor_limit, watchers
from bench.reporting import machine
from bench.reporting.report import Report
from bench.reporting.rounds import percentile
from bench.subjects import subjects
from bench.subjects.processes import Server, await_quiet, cpu_seconds, resident_bytes
from bench.subjects.stores import private_stores
from bench.subjects.subjects import Subject
from bench.workloads.players import Player, make_players
from bench.workloads.publisher import Publisher

PLAYERS = 2000
BROADCASTS = 5
PATIENCE = 60.0
SETTLE = 0.4
"""Seconds after the last receipt in which a server may tidy up, on its own account."""

HEADER = (
    "watchers", "subject", "p50 ms", "p99 ms", "last ms", "server CPU s", "client CPU s", "KB a socket", "RSS MB",
    "joins/s", "missed",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """One subject's round, or the medians of several. Times in milliseconds, CPU in seconds per broadcast."""

    p50: float
    p99: float
    last: float
    server_cpu: float
    client_cpu: float
    bytes_per_socket: float
    resident: float
    joins_per_second: float
    missed: float


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description=__doc__.partition("\n")[0])
    parser.add_argument("--watchers", type=int, nargs="+", default=[1000, 5000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--broadcasts", type=int, default=BROADCASTS)
    parser.add_argument("--only", nargs="+", help="names of the subjects to measure")
    parser.add_argument("--record", action="store_true", help="keep the results in bench/RESULTS.md")
    arguments = parser.parse_args()
    raise_descriptor_limit()
    report = Report("Fan-out", machine.describe())
    rows = measure(arguments.watchers, arguments.rounds, arguments.broadcasts, arguments.only)
    report.table(f"One change for all watchers, medians of {arguments.rounds} rounds", HEADER, rows)
    if arguments.record:
        report.record()


def measure(sizes: Sequence[int], rounds: int, broadcasts: int, only: Sequence[str] | None = None) -> list[list[str]]:
    """The rows of the table: for each size of the crowd every subject."""
    with private_stores() as stores:
        ours = subjects.Ours("ours", stores)
        field: list[Subject | None] = [
            ours,
            subjects.idiomatic(stores, ours.settings),
            subjects.node(stores, ours.settings),
        ]
        contenders = [one for one in field if one is not None and one.name in (only or [one.name])]
        players = make_players(PLAYERS, ours.settings)
        scores = {}
        for subject in contenders:
            subject.fill(players)
            scores[subject.name] = players[0].score
        rows = []
        for size in sizes:
            outcomes: dict[str, list[Outcome]] = {subject.name: [] for subject in contenders}
            for _ in range(rounds):
                for subject in contenders:
                    outcome, scores[subject.name] = _round(subject, players[0], scores[subject.name], size, broadcasts)
                    outcomes[subject.name].append(outcome)
            rows += [_row(size, name, _median(each)) for name, each in outcomes.items()]
    return rows


def _round(subject: Subject, leader: Player, score: int, size: int, broadcasts: int) -> tuple[Outcome, int]:
    server = subject.start()
    publisher = Publisher(subject, server.port, leader, score, broadcasts + 1)
    try:
        with watchers(server.port) as crowd:
            return _measure(server, publisher, crowd, size, broadcasts), publisher.score
    finally:
        publisher.close()
        server.stop()


def _measure(server: Server, publisher: Publisher, crowd: Watchers, size: int, broadcasts: int) -> Outcome:
    # The first watcher and the first change load what is loaded late; only the others are charged for.
    crowd.ramp(1)
    first = publisher.publish()
    crowd.arrivals(first.score, PATIENCE)
    await_quiet(server.pids)
    resident = resident_bytes(server.pids)
    ramp = crowd.ramp(size - 1)
    await_quiet(server.pids)
    grown = resident_bytes(server.pids)
    rounds = [_broadcast(server, publisher, crowd) for _ in range(broadcasts)]
    p50, p99, last, server_cpu, client_cpu, missed = (median(figures) for figures in zip(*rounds, strict=True))
    return Outcome(
        p50=p50,
        p99=p99,
        last=last,
        server_cpu=server_cpu,
        client_cpu=client_cpu,
        bytes_per_socket=(grown - resident) / max(1, size - 1),
        resident=grown,
        joins_per_second=(size - 1) / ramp.seconds,
        missed=missed + ramp.lost,
    )


def _broadcast(server: Server, publisher: Publisher, crowd: Watchers) -> tuple[float, ...]:
    used, heard = cpu_seconds(server.pids), crowd.cpu()
    published = publisher.publish()
    arrivals = crowd.arrivals(published.score, PATIENCE)
    time.sleep(SETTLE)
    delays = [(arrived - published.sent_at) / 1e6 for arrived in arrivals.times]
    return (
        percentile(delays, 50),
        percentile(delays, 99),
        max(delays, default=0.0),
        cpu_seconds(server.pids) - used,
        crowd.cpu() - heard,
        arrivals.missing,
    )


def _median(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(**{name: median(getattr(one, name) for one in outcomes) for name in Outcome.__annotations__})


def _row(size: int, name: str, outcome: Outcome) -> list[str]:
    return [
        f"{size:,}",
        name,
        *(f"{value:,.1f}" for value in (outcome.p50, outcome.p99, outcome.last)),
        f"{outcome.server_cpu:.3f}",
        f"{outcome.client_cpu:.3f}",
        f"{outcome.bytes_per_socket / 1024:.1f}",
        f"{outcome.resident / 2**20:.0f}",
        f"{outcome.joins_per_second:,.0f}",
        f"{outcome.missed:.0f}",
    ]


if __name__ == "__main__":
    main()
