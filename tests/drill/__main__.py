"""Rehearse the loss of PostgreSQL on an installation of its own: `make drill`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import timedelta

from app.embedded import open_stores
from tests.drill.run import DrillFailed, drill
from tests.support.stores import private_folder


def main() -> int:
    """Return 1 if the restored service differs from what it was."""
    parser = argparse.ArgumentParser(prog="make drill", description=__doc__)
    parser.add_argument("--players", type=int, default=500)
    parser.add_argument("--submissions", type=int, default=10, help="of each player in each of four phases")
    arguments = parser.parse_args()

    def report(step: str) -> None:
        print(step, flush=True)  # noqa: T201

    try:
        with private_folder() as folder, open_stores(folder) as stores:
            result = asyncio.run(
                drill(
                    stores.redis_url,
                    players=arguments.players,
                    submissions=arguments.submissions,
                    report=report,
                )
            )
    except DrillFailed as failure:
        print(f"FAILED: {failure}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"\n{result.backup_bytes / 1e6:,.1f} MB of backups; {result.lost:,} submissions after the instant are gone")  # noqa: T201
    for step, seconds in result.seconds.items():
        print(f"{step:40} {timedelta(seconds=round(seconds, 1))}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
