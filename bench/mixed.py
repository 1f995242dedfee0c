"""Everything at once: thousands watch, the leader scores three times per second, others submit at full speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.load.run import Clients, Watchers, watchers
from bench.reporting.rounds import Score, percentile, score
from bench.subjects.processes import Server, wait_until_idle
from bench.subjects.subjects import Subject
from bench.workloads import request_loads as loads
from bench.workloads.players import Player
from bench.workloads.publisher import PublishedChange, Publisher
from bench.workloads.scale import Scale

INTERVAL = 1 / 3
ARRIVAL_TIMEOUT = 20.0
HEADER = ("", "req/s", "p50 ms", "p99 ms", "server CPU ms", "errors", "p99 receipt ms", "last receipt ms", "missed")


@dataclass(frozen=True)
class MixedLoadResult:
    """Submissions, and the delays of the leader's changes at the watchers; medians, in milliseconds."""

    submissions: Score
    p99_receipt: float
    last_receipt: float
    missed: int

    @property
    def row(self) -> tuple[str, ...]:
        """The cells for `HEADER`."""
        one = self.submissions
        return (
            one.name,
            f"{one.rate:,.0f}",
            f"{one.p50:.1f}",
            f"{one.p99:.1f}",
            f"{one.server_cpu:.3f}",
            str(one.errors),
            f"{self.p99_receipt:.0f}",
            f"{self.last_receipt:.0f}",
            str(self.missed),
        )


def measure(
    subject: Subject, clients: Clients, players: Sequence[Player], leader_score: int, scale: Scale
) -> MixedLoadResult:
    """Start `subject`, connect the watchers, and measure; `leader_score` is the score of the first player."""
    server = subject.start()
    changes = int(scale.mixed_seconds / INTERVAL) + 1
    publisher = Publisher(subject, server.port, players[0], leader_score, changes)
    try:
        with watchers(server.port) as sockets:
            clients.run(loads.visit(server, players, 64))
            ramp = sockets.ramp(scale.watchers)
            wait_until_idle(server.pids)
            return _measure(subject, server, publisher, sockets, clients, players, scale, ramp.lost)
    finally:
        publisher.close()
        server.stop()


def _measure(
    subject: Subject,
    server: Server,
    publisher: Publisher,
    sockets: Watchers,
    clients: Clients,
    players: Sequence[Player],
    scale: Scale,
    lost: int,
) -> MixedLoadResult:
    load = loads.submissions(subject, server, players, 64, scale.mixed_seconds, scale.submissions * 2)
    outcome = clients.start(load)
    published: list[PublishedChange] = []
    while not outcome.done():
        started = time.monotonic()
        if len(published) < int(scale.mixed_seconds / INTERVAL):
            published.append(publisher.publish())
        time.sleep(max(0.02, started + INTERVAL - time.monotonic()))
    p99, last, missed = [], [], lost
    for change in published:
        arrivals = sockets.arrivals(change.score, ARRIVAL_TIMEOUT)
        delays = [(arrived - change.sent_at) / 1e6 for arrived in arrivals.times]
        p99.append(percentile(delays, 99))
        last.append(max(delays, default=0.0))
        missed += arrivals.missing
    watched = f"{subject.name}, {scale.watchers:,} watchers, {1 / INTERVAL:.0f} changes/s"
    return MixedLoadResult(score(watched, [outcome.result()]), median(p99), median(last), missed)
