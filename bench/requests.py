"""Requests: the cost of each kind, for the service and other servers.

python -m bench.requests [--smoke] [--only SECTION ...] [--record]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from app.cli.process.descriptors import raise_descriptor_limit
from app.domain.events.event import EventType
from bench.load.run import clients
from bench.reporting import machine
from bench.reporting.report import Report
from bench.request_sections import SECTIONS, Bench
from bench.subjects import subjects
from bench.subjects.stores import private_stores
from bench.workloads.players import make_players
from bench.workloads.scale import FULL, SMOKE, Scale

CONDITIONS = (
    "Closed loop, keep-alive, no pipelining; each round measures every subject in turn; medians of the rounds; CPU is "
    "per request. The service runs with all features; only the rate limits and the number of open action tokens are so "
    "high that the load does not reach them. `executed` is without the response cache. The other servers have one "
    "board, one simple rate limit, none on queries, and neither rules nor hash chains; `node, limits and periods` has "
    "that limit on queries too, and updates the boards of day, week and month. All players were seen before."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(prog="python -m bench.requests", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a short run that checks that everything works")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), help="measure only these sections")
    parser.add_argument("--rounds", type=int, help="number of measurements of each subject")
    parser.add_argument("--record", action="store_true", help="store the results in bench/RESULTS.md")
    given = parser.parse_args(arguments)
    scale = SMOKE if given.smoke else FULL
    if given.rounds:
        scale = replace(scale, rounds=given.rounds)
    report = measure(scale, given.only or list(SECTIONS))
    if given.record:
        report.record()


def measure(scale: Scale, sections: Sequence[str]) -> Report:
    """Run the sections and return the report, which is already printed."""
    raise_descriptor_limit()
    report = Report("Requests", machine.describe())
    report.note(CONDITIONS)
    with private_stores() as stores, clients() as load:
        service = subjects.Service("ours", stores)
        variants = (
            subjects.Service("executing", stores, response_cache_bytes=0),
            subjects.Service("interpreting", stores, response_cache_bytes=0, compile_operations=False),
            subjects.Service("parsing", stores, request_head_cache=False),
            subjects.Service("unlimited", stores, rate_limit_enabled=False),
            subjects.Service("unmeasured", stores, program="unmeasured"),
            subjects.Service("silent", stores, event_types="none"),
            subjects.Service("scores", stores, event_types=EventType.SCORE_COMMITTED.value),
            subjects.Service("recording", stores, event_types=",".join(EventType)),
        )
        candidates = [
            make(stores, service.settings) for make in (subjects.idiomatic, subjects.node, subjects.node_with_limits)
        ]
        peers = [peer for peer in candidates if peer is not None]
        if len(peers) < len(candidates):
            report.note("The servers on Node are omitted: node is missing, or `npm ci` in bench/peers/node.")
        players = make_players(scale.players, service.settings)
        bench = Bench(scale, stores, load, players, service, *variants, peers, report)
        for subject in (*bench.field, *variants):
            subject.fill(players)
        for section in sections:
            SECTIONS[section](bench)
    return report


if __name__ == "__main__":
    main()
