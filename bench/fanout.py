"""Fan-out: how long a change takes to reach thousands of watchers, and its cost.

    python -m bench.fanout [--watchers 1000 5000 10000] [--rounds 3] [--record]

Each round starts every subject again, opens the same number of sockets, and submits a score of the leader through the
API. The time is measured from sending the submission until the kernel has the message at a receiver's socket.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from app.cli.process.descriptors import raise_descriptor_limit
from bench.load.run import Watchers, watchers
from bench.reporting import machine
from bench.reporting.report import Report
from bench.reporting.rounds import percentile
from bench.subjects import subjects
from bench.subjects.processes import Server, cpu_seconds, resident_bytes, wait_until_idle
from bench.subjects.stores import private_stores
from bench.subjects.subjects import Subject
from bench.workloads.players import Player, make_players
from bench.workloads.publisher import Publisher

PLAYERS = 2000
BROADCASTS = 5
ARRIVAL_TIMEOUT = 60.0
SETTLE_SECONDS = 0.4
"""Seconds after the last receipt that still count as CPU time of the change."""

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
    parser.add_argument("--record", action="store_true", help="store the results in bench/RESULTS.md")
    arguments = parser.parse_args()
    raise_descriptor_limit()
    report = Report("Fan-out", machine.describe())
    rows = measure(arguments.watchers, arguments.rounds, arguments.broadcasts, arguments.only)
    report.table(f"One change for all watchers, medians of {arguments.rounds} rounds", HEADER, rows)
    if arguments.record:
        report.record()


def measure(sizes: Sequence[int], rounds: int, broadcasts: int, only: Sequence[str] | None = None) -> list[list[str]]:
    """Return the rows of the table: every subject for each number of watchers."""
    with private_stores() as stores:
        service = subjects.Service("ours", stores)
        candidates: list[Subject | None] = [
            service,
            subjects.idiomatic(stores, service.settings),
            subjects.node(stores, service.settings),
        ]
        contenders = [one for one in candidates if one is not None and one.name in (only or [one.name])]
        players = make_players(PLAYERS, service.settings)
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
        with watchers(server.port) as sockets:
            return _measure(server, publisher, sockets, size, broadcasts), publisher.score
    finally:
        publisher.close()
        server.stop()


def _measure(server: Server, publisher: Publisher, sockets: Watchers, size: int, broadcasts: int) -> Outcome:
    # The first watcher and the first change also load what is loaded on demand, so they are not measured.
    sockets.ramp(1)
    first = publisher.publish()
    sockets.arrivals(first.score, ARRIVAL_TIMEOUT)
    wait_until_idle(server.pids)
    resident = resident_bytes(server.pids)
    ramp = sockets.ramp(size - 1)
    wait_until_idle(server.pids)
    grown = resident_bytes(server.pids)
    rounds = [_broadcast(server, publisher, sockets) for _ in range(broadcasts)]
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


def _broadcast(server: Server, publisher: Publisher, sockets: Watchers) -> tuple[float, ...]:
    server_cpu, client_cpu = cpu_seconds(server.pids), sockets.cpu()
    published = publisher.publish()
    arrivals = sockets.arrivals(published.score, ARRIVAL_TIMEOUT)
    time.sleep(SETTLE_SECONDS)
    delays = [(arrived - published.sent_at) / 1e6 for arrived in arrivals.times]
    return (
        percentile(delays, 50),
        percentile(delays, 99),
        max(delays, default=0.0),
        cpu_seconds(server.pids) - server_cpu,
        sockets.cpu() - client_cpu,
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
