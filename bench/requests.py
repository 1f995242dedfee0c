"""Requests: one page that tells what each kind costs, here and elsewhere.

python -m bench.requests [--smoke] [--only SECTION ...] [--record]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from bench.load.run import clients, raise_descriptor_limit
from bench.reporting import machine
from bench.reporting.report import Report
from bench.request_sections import SECTIONS, Bench
from bench.subjects import subjects
from bench.subjects.stores import private_stores
from bench.workloads.players import make_players
from bench.workloads.scale import FULL, SMOKE, Scale

TERMS = (
    "Closed loop, keep-alive, no pipelining; in each round every subject has its turn; medians of the rounds; CPU is "
    "per request. Of the service everything is on; only the rate limits and the number of open action tokens are set "
    "so high that the load fits through. `executed` is without the cache of answers. The peers have one board, one "
    "simple rate limit, none on queries, and neither rules nor hash chains; `node, limits and periods` has that limit "
    "on queries too, and raises the boards of day, week and month. Whoever submits has been seen before."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.requests", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="as little as can be: does it work at all?")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), help="these sections alone")
    parser.add_argument("--rounds", type=int, help="measurements of each subject")
    parser.add_argument("--record", action="store_true", help="keep the results in bench/RESULTS.md")
    given = parser.parse_args(arguments)
    scale = SMOKE if given.smoke else FULL
    if given.rounds:
        scale = replace(scale, rounds=given.rounds)
    report = measure(scale, given.only or list(SECTIONS))
    if given.record:
        report.record()


def measure(scale: Scale, sections: Sequence[str]) -> Report:
    """Run the sections and return the page, which has been printed by then."""
    raise_descriptor_limit()
    report = Report("Requests", machine.describe())
    report.note(TERMS)
    with private_stores() as stores, clients() as load:
        ours = subjects.Ours("ours", stores)
        executing = subjects.Ours("executing", stores, response_cache_bytes=0)
        interpreting = subjects.Ours("interpreting", stores, response_cache_bytes=0, compile_operations=False)
        parsing = subjects.Ours("parsing", stores, request_head_cache=False)
        unlimited = subjects.Ours("unlimited", stores, rate_limit_enabled=False)
        variants = executing, interpreting, parsing, unlimited
        field = [make(stores, ours.settings) for make in (subjects.idiomatic, subjects.node, subjects.fuller_node)]
        peers = [peer for peer in field if peer is not None]
        if len(peers) < len(field):
            report.note("The peer on Node is left out: node is missing, or `npm ci` in bench/peers/node.")
        players = make_players(scale.players, ours.settings)
        bench = Bench(scale, stores, load, players, ours, *variants, peers, report)
        for subject in (*bench.field, *variants):
            subject.fill(players)
        for section in sections:
            SECTIONS[section](bench)
    return report


if __name__ == "__main__":
    main()
