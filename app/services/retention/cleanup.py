"""The cleanup job: expired rows are deleted, a bounded number per statement and per run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.models.statements.retention.expired_rows import (
    CHUNK_SIZE,
    FLAGS,
    ORIGINS,
    REQUEST_KEYS,
    SESSIONS,
    UNUSED_TOKENS,
    USED_TOKENS,
    ExpiredRows,
    delete_chunk,
)
from app.runtime import Runtime
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MAX_CHUNKS = 100
"""Chunks of one table that a run deletes; the next run continues."""

UNUSED_TOKEN_AGE = timedelta(days=1)
"""How long an unused token is kept after it expired, which is more than clocks can differ."""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long rows are kept.

    Attributes:
        request_keys: Request keys that clients have chosen, and used action tokens.
        origins: Addresses and user agents, with the salt of their commitments.
        flags: Flags, after the decision about them.
    """

    request_keys: timedelta
    origins: timedelta
    flags: timedelta


class Cleanup:
    """Deletes what has expired. Repeating is harmless, also on several instances at once."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        retention: Retention,
        *,
        chunk_size: int = CHUNK_SIZE,
        max_chunks: int = MAX_CHUNKS,
    ) -> None:
        self._database = database
        self._clock = runtime.clock
        self._retention = retention
        self._chunk_size = chunk_size
        self._max_chunks = max_chunks

    async def __call__(self) -> int:
        """Delete expired rows of all tables, and return how many.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used. What was deleted before stays deleted.
        """
        now, retention = self._clock(), self._retention
        total = 0
        for rows, before in (
            (UNUSED_TOKENS, now - UNUSED_TOKEN_AGE),
            (USED_TOKENS, now - retention.request_keys),
            (SESSIONS, now),
            (REQUEST_KEYS, now - retention.request_keys),
            (ORIGINS, now - retention.origins),
            (FLAGS, now - retention.flags),
        ):
            total += await self._delete(rows, before)
        return total

    async def _delete(self, rows: ExpiredRows, before: datetime) -> int:
        deleted = 0
        for _ in range(self._max_chunks):
            async with self._database.connect() as connection:
                count = await delete_chunk(connection, rows, before, self._chunk_size)
            deleted += count
            if count < self._chunk_size:
                break
        if deleted:
            log.info("expired_rows_deleted", rows=rows.name, count=deleted)
        return deleted
