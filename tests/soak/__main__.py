"""Let clients come and leave for a long time, and show what a server holds: `make soak MINUTES=60`."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from app.embedded import open_stores
from tests.soak.churn import VISITS, churn
from tests.soak.server import MEGABYTE, excess, soaked_server
from tests.support.service import settings_for
from tests.support.stores import Databases, private_folder

MAX_GROWTH = 0.2
"""The share by which memory may grow between the end of the first quarter and the end."""


async def soak(seed: int, minutes: float) -> int:
    """Return 1 if something is left of clients that have gone."""
    random = Random(seed)
    with private_folder() as data, open_stores(data) as stores, tempfile.TemporaryDirectory() as folder:
        databases = Databases(stores.database_url)
        await databases.prepare()
        settings = settings_for(await databases.create(), stores.redis_url)
        async with soaked_server(settings, Path(folder)) as server:
            began, quarter = time.monotonic(), 0
            await churn(server, random, visits=5 * len(VISITS), at_once=8)
            await asyncio.sleep(40)  # Feeds are kept for half a minute after their last use.
            base = await server.held()
            print("base:", base, f"{server.memory() / MEGABYTE:.0f} MiB")  # noqa: T201
            visits = 0
            while time.monotonic() - began < minutes * 60:
                await churn(server, random, visits=100 * len(VISITS), at_once=32)
                visits += 100 * len(VISITS)
                memory = server.memory()
                if time.monotonic() - began < minutes * 15 or not quarter:
                    quarter = memory
                print(f"{time.monotonic() - began:6.0f} s {visits:8} visits {memory / MEGABYTE:6.0f} MiB")  # noqa: T201
            left = excess(await server.settled(base), base)
            growth = server.memory() / quarter - 1
    print(f"left: {left or 'nothing'}; memory grew by {growth:.0%} since the first quarter")  # noqa: T201
    return int(bool(left) or growth > MAX_GROWTH)


def main() -> int:
    """Read the arguments and soak."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.minutes:g} minutes", flush=True)  # noqa: T201
    return asyncio.run(soak(arguments.seed, arguments.minutes))


if __name__ == "__main__":
    sys.exit(main())
