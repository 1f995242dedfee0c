"""Run faults by a seeded schedule against an installation of its own: `make nemesis SEED=7 MINUTES=10`."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from itertools import islice
from pathlib import Path

from tests.nemesis import checker
from tests.nemesis.faults import FAULTS
from tests.nemesis.run import run, summary
from tests.nemesis.schedule import rounds


def main() -> int:
    """Return 1 if a check that counts has found a breach."""
    parser = argparse.ArgumentParser(prog="make nemesis", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, help="end after so many rounds, whatever the time")
    parser.add_argument("--faults", default="", help="faults to choose from, separated by commas; all by default")
    parser.add_argument("--folder", type=Path, default=Path(".data/nemesis"))
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.faults.split(",")] if arguments.faults else list(FAULTS)
    if unknown := set(names) - FAULTS.keys():
        parser.error(f"unknown faults: {', '.join(sorted(unknown))}; there are: {', '.join(FAULTS)}")
    folder = arguments.folder / f"{arguments.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    print(f"seed {arguments.seed}, {arguments.minutes:g} minutes, history and logs in {folder}")  # noqa: T201
    until = time.monotonic() + arguments.minutes * 60
    planned = islice(rounds(arguments.seed, names), arguments.rounds)
    history = asyncio.run(run(arguments.seed, planned, folder, until=until))
    print(summary(history))  # noqa: T201
    return 1 if checker.breaches(history.records) else 0


if __name__ == "__main__":
    sys.exit(main())
