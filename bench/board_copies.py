"""Measure the CPU time of loading boards into Redis, and of comparing them with PostgreSQL by digests.

    python -m bench.board_copies --users 1000000

Every user is on the four open boards of one category. CPU time is that of this process, of all processes of PostgreSQL
and of Redis, so that a busy machine matters little.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg

from app.config import load_settings
from app.domain.boards.periods import Period, window_of
from app.embedded import Stores
from app.models.migrate import upgrade
from app.runtime import Runtime, utc_now
from app.wiring import open_app
from bench.reporting import machine
from bench.reporting.report import Report
from bench.subjects.stores import Database, create_database, private_stores

CATEGORY = "global"
CHUNK = 100_000
CHANGED = 100
"""Rows that Redis has missed in the last measurement."""

USERS = """
    INSERT INTO users (id, username, claimed_username, created_at)
    SELECT gen_random_uuid(), 'player-' || number, 'player-' || number, now()
    FROM generate_series($1::int, $2::int) AS number
"""
SCORES = """
    INSERT INTO scores (user_id, category_id, period, window_start, score, sort_key, reached_at, revision)
    SELECT id, $1, $2, $3, points, -points, now() - random() * interval '1 day', 1 + (random() * 50)::int
    FROM (SELECT id, (random() * 1000000)::int AS points FROM users) AS drawn
"""
CHANGE = """
    UPDATE scores SET score = score + 1, sort_key = sort_key - 1, revision = revision + 1
    WHERE (user_id, category_id, period, window_start) IN (
        SELECT user_id, category_id, period, window_start FROM scores WHERE period = 'ALL_TIME' LIMIT $1
    )
"""


class CpuClock:
    """CPU seconds used so far by this process, by PostgreSQL and by Redis."""

    def __init__(self, postmaster: int, redis: int) -> None:
        self._postmaster = postmaster
        self._redis = redis

    def read(self) -> tuple[float, float, float]:
        """Return the three times."""
        children = Path(f"/proc/{self._postmaster}/task/{self._postmaster}/children").read_text().split()
        postgres = _cpu_seconds(self._postmaster, with_ended_children=True)
        return time.process_time(), postgres + sum(map(_cpu_seconds, map(int, children))), _cpu_seconds(self._redis)


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _cpu_seconds(pid: int, *, with_ended_children: bool = False) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    ticks = sum(map(int, fields[11 : 15 if with_ended_children else 13]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def fill(connection: asyncpg.Connection, users: int) -> None:
    """Insert users with a row on each open board."""
    await connection.execute("SET synchronous_commit = off")
    await connection.execute("SET statement_timeout = 0")
    for first in range(1, users + 1, CHUNK):
        await connection.execute(USERS, first, min(first + CHUNK - 1, users))
    for period in Period:
        await connection.execute(SCORES, CATEGORY, period.value, window_of(period, utc_now()).start)


async def measure(stores: Stores, database: Database, users: int, report: Report) -> None:
    """Measure and add the table to the report."""
    async with AsyncExitStack() as stack:
        settings = load_settings(
            database_url=database.url, redis_url=stores.redis_url, db_timeout=120.0, redis_timeout=10.0, _env_file=None
        )
        app = await stack.enter_async_context(open_app(settings, Runtime(), housekeeping=False))
        connection = await asyncpg.connect(database.dsn, command_timeout=600)
        stack.push_async_callback(connection.close)
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        postmaster = _parent_of(backend)
        cpu = CpuClock(postmaster, (await app.redis.info("server"))["process_id"])
        category = app.catalogue.current.category(CATEGORY)
        rows: list[list[str]] = []

        async def row(name: str, work: Callable[[], Awaitable[object]]) -> None:
            before, started = cpu.read(), time.perf_counter()
            await work()
            used = [after - earlier for after, earlier in zip(cpu.read(), before, strict=True)]
            rows.append([name, *(f"{seconds:.1f} s" for seconds in (*used, time.perf_counter() - started))])

        await row("load all boards", lambda: app.rebuild.rebuild(category, force=True))
        await row("compare, nothing differs", app.reconcile.everything)
        await connection.execute(CHANGE, CHANGED)
        await row(f"compare, {CHANGED} rows differ", app.reconcile.everything)
        assert app.reconcile.uncorrected == 0
        title = f"Boards in Redis: {users:,} users on {len(Period)} boards, CPU time"
        report.table(title, ("what", "this process", "PostgreSQL", "Redis", "elapsed"), rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    users: int = parser.parse_args().users
    report = Report(Path(__file__).stem, machine.describe())
    with private_stores() as stores:
        database = create_database(stores, "copies")
        upgrade(database.url)
        database.run(lambda connection: fill(connection, users))
        database.settle()
        asyncio.run(measure(stores, database, users, report))


if __name__ == "__main__":
    main()
