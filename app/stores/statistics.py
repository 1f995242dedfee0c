"""What the stores say about themselves, for metrics: memory of Redis, archiving and backups of PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.errors import ServiceUnavailable
from app.stores.postgres import Database
from app.stores.redis_caller import RedisCaller, RedisUnreachable

INTERVAL = 15.0
"""Seconds between two reads."""

_ARCHIVER = text(
    """
    SELECT extract(epoch FROM last_archived_time)::float8 AS last_success,
        last_failed_time > coalesce(last_archived_time, '-infinity') AS is_failing
    FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'
    """
)
_BACKUPS = text(
    """
    SELECT kind, extract(epoch FROM succeeded_at)::float8 AS succeeded_at,
        extract(epoch FROM failed_at)::float8 AS failed_at, bytes
    FROM backups ORDER BY kind
    """
)


@dataclass(frozen=True, slots=True)
class LastBackup:
    """The last success and failure of one kind of backup, in Unix time, and its size; None if there was none."""

    kind: str
    succeeded_at: float | None
    failed_at: float | None
    bytes: int | None


@dataclass(slots=True)
class Archiver:
    """How PostgreSQL gets on with archiving its write-ahead log.

    Attributes:
        is_failing: Whether its last attempt has failed; None if it archives nothing.
        last_success: When it last archived a file, in Unix time.
    """

    is_failing: bool | None = None
    last_success: float | None = None


class StoreStatistics:
    """The statistics of the stores, as last read.

    Attributes:
        archiver: The archiver of PostgreSQL.
        backups: The last success and failure of each kind of backup that was ever made.
        redis_used_bytes: The memory that all nodes of Redis use; None while it is unknown.
        redis_max_bytes: What they may use; 0 for no limit.
    """

    def __init__(self, database: Database, redis: Redis, redis_caller: RedisCaller) -> None:
        self.archiver = Archiver()
        self.backups: Sequence[LastBackup] = ()
        self.redis_used_bytes: int | None = None
        self.redis_max_bytes: int | None = None
        self._database = database
        self._redis = redis
        self._redis_caller = redis_caller

    async def run(self) -> None:
        """Read the statistics again and again until cancelled. To be supervised."""
        while True:
            with suppress(ServiceUnavailable, DBAPIError):
                await self.read_archiver()
                await self.read_backups()
            await self.read_redis()
            await asyncio.sleep(INTERVAL)

    async def read_archiver(self) -> None:
        """Read how archiving goes. Raises ServiceUnavailable."""
        async with self._database.connect() as connection:
            row = (await connection.execute(_ARCHIVER)).one_or_none()
        self.archiver.is_failing = None if row is None else bool(row.is_failing)
        self.archiver.last_success = None if row is None else row.last_success

    async def read_backups(self) -> None:
        """Read when the database was last backed up. Raises ServiceUnavailable."""
        async with self._database.connect() as connection:
            self.backups = [LastBackup(*row) for row in await connection.execute(_BACKUPS)]

    async def read_redis(self) -> None:
        """Read how much memory Redis uses; it is unknown while Redis does not answer."""
        try:
            nodes = await self._redis_caller(self._read_memory)
        except RedisUnreachable:
            nodes = ()
        self.redis_used_bytes = sum(int(node["used_memory"]) for node in nodes) if nodes else None
        self.redis_max_bytes = sum(int(node["maxmemory"]) for node in nodes) if nodes else None

    async def _read_memory(self) -> list[Mapping[str, Any]]:
        answer: Any = await self._redis.info("memory")
        return [answer] if "used_memory" in answer else list(answer.values())
