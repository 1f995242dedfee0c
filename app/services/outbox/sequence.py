"""The job that gives committed events their positions."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from app.models.statements.events.committed_events import give_positions, has_new_events, lock_sequence
from app.models.statements.events.recorded_events import create_partition, read_days, today
from app.stores.postgres import Database

CHUNK_SIZE = 2000
"""Events that get their positions in one transaction."""

MAX_CHUNKS = 50
"""Chunks of one run; the next run continues."""

DAYS_AHEAD = 2
"""Days after today that have a partition."""


class EventSequence:
    """Moves committed events into `events`, where they have consecutive positions. Every consumer follows these.

    The events of one subject have the order of their transactions. A run that is interrupted has moved whole chunks;
    repeating is harmless, also on several instances at once.
    """

    def __init__(self, database: Database, *, chunk_size: int = CHUNK_SIZE) -> None:
        self._database = database
        self._chunk_size = chunk_size
        self._prepared_until: date | None = None

    async def __call__(self) -> int:
        """Give events their positions, and return how many. Raises ServiceUnavailable."""
        async with self._database.connect() as connection:
            if not await has_new_events(connection):
                return 0
            day = await today(connection)
        total = 0
        for _ in range(MAX_CHUNKS):
            async with self._database.begin() as connection:
                last = await lock_sequence(connection)
                if self._prepared_until is None or day > self._prepared_until - timedelta(days=DAYS_AHEAD):
                    await self._create_partitions(connection, day)
                moved = await give_positions(connection, last, self._chunk_size)
            self._prepared_until = day + timedelta(days=DAYS_AHEAD)
            total += moved
            if moved < self._chunk_size:
                break
        return total

    async def _create_partitions(self, connection: AsyncConnection, day: date) -> None:
        existing = set(await read_days(connection))
        for ahead in range(DAYS_AHEAD + 1):
            if (wanted := day + timedelta(days=ahead)) not in existing:
                await create_partition(connection, wanted)
