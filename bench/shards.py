"""Measure what reads and writes of a board cost in Redis, by the number of shards of its category.

    python -m bench.shards --users 1000000

One Redis server has all shards, so that the figures compare the work: rounds of calls, and the CPU time of both sides.
The nodes of a cluster do their part of it at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from struct import Struct
from uuid import UUID

from redis.asyncio import Redis

from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.instants import to_micros
from app.domain.ledger.posting import ScoreChange
from app.domain.ledger.scoring import ScoreRow
from app.runtime import Runtime
from app.services.board_index import Keys
from app.services.board_index.shards import SplitBoardIndex, SplitIndexLoader
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller
from app.stores.redis_clients import open_redis
from bench.reporting import machine
from bench.reporting.report import Report
from bench.subjects.stores import private_stores

PACKED_ROW = Struct(">BqQQ16s")
ROWS_PER_CALL = 1_000
REPEATS = 200
NOW = datetime(2026, 11, 20, tzinfo=UTC)
BOARD = board_of("global", Period.ALL_TIME, NOW)
EPOCH = "0" * 32


class Subject:
    """A board in one or several shards."""

    def __init__(self, redis: Redis, shards: int, users: int) -> None:
        runtime, keys = Runtime(), Keys(f"bench-{shards}")
        self.caller = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, runtime))
        self.index = SplitBoardIndex(redis, self.caller, keys, runtime, lambda _: shards)
        self._loader = SplitIndexLoader(redis, self.caller, keys, lambda _: shards)
        self._redis = redis
        self._random = random.Random(1)
        self._users = [UUID(int=self._random.getrandbits(128)) for _ in range(users)]
        self._revision = 1

    async def load(self) -> None:
        """Load the board."""
        await self._loader.begin(BOARD.category, [BOARD], EPOCH, "", NOW)
        for start in range(0, len(self._users), ROWS_PER_CALL):
            rows = (
                PACKED_ROW.pack(1, -self._random.randrange(1_000_000), 1, to_micros(NOW), user.bytes)
                for user in self._users[start : start + ROWS_PER_CALL]
            )
            await self.index.load(BOARD, EPOCH, b"".join(rows))
        assert await self._loader.finish(BOARD.category, EPOCH)

    async def head(self) -> None:
        """Read the head."""
        await self.index.views(BOARD, [("page", 0, 100)])

    async def around(self) -> None:
        """Read a user with ten entries above and below."""
        await self.index.views(BOARD, [("around", self._user().bytes, 10)])

    async def rank(self) -> None:
        """Read the rank of a user."""
        await self.index.views(BOARD, [("place", self._user().bytes, 0)])

    async def deep_page(self) -> None:
        """Read a page from the middle."""
        await self.index.views(BOARD, [("page", self._random.randrange(len(self._users) - 100), 20)])

    async def put(self, rows: int = 1) -> None:
        """Write new scores."""
        self._revision += 1
        row = ScoreRow(self._random.randrange(1_000_000), NOW, self._revision, False)
        await self.index.put([ScoreChange(BOARD, self._user(), row, -row.score) for _ in range(rows)])

    async def redis_seconds(self) -> float:
        """Return the CPU time of Redis so far."""
        cpu = await self._redis.info("cpu")
        return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"])

    def _user(self) -> UUID:
        return self._random.choice(self._users)


async def row_of(subject: Subject, shards: int, name: str, work: Callable[[], Awaitable[None]]) -> list[str]:
    """Measure one kind of call."""
    await work()
    calls, cpu, used = subject.caller.seconds.count, await subject.redis_seconds(), time.process_time()
    elapsed = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await work()
        elapsed.append(time.perf_counter() - started)
    used = (time.process_time() - used) / REPEATS
    cpu = (await subject.redis_seconds() - cpu) / REPEATS
    rounds = (subject.caller.seconds.count - calls) / REPEATS
    milliseconds = [f"{1000 * seconds:.2f} ms" for seconds in (statistics.median(elapsed), used, cpu)]
    return [name, str(shards), f"{rounds:.1f}", *milliseconds]


async def measure(redis_url: str, users: int, report: Report) -> None:
    """Measure and add the table to the report."""
    redis = open_redis(redis_url, timeout=10)
    subjects = {shards: Subject(redis, shards, users) for shards in (1, 3)}
    for subject in subjects.values():
        await subject.load()
    rows = [
        await row_of(subject, shards, name, work(subject))
        for name, work in KINDS.items()
        for shards, subject in subjects.items()
    ]
    await redis.aclose()
    title = f"A board of {users:,} users in one and in three shards"
    report.table(title, ("what", "shards", "rounds", "median", "CPU here", "CPU of Redis"), rows)


KINDS: dict[str, Callable[[Subject], Callable[[], Awaitable[None]]]] = {
    "head, 100 entries": lambda subject: subject.head,
    "rank of a user": lambda subject: subject.rank,
    "21 entries around a user": lambda subject: subject.around,
    "20 entries somewhere": lambda subject: subject.deep_page,
    "put of one row": lambda subject: subject.put,
    "put of 32 rows": lambda subject: lambda: subject.put(32),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    users: int = parser.parse_args().users
    report = Report(Path(__file__).stem, machine.describe())
    with private_stores() as stores:
        asyncio.run(measure(stores.redis_url, users, report))


if __name__ == "__main__":
    main()
