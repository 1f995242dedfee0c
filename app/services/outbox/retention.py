"""The job that deletes old events and dead letters."""

from __future__ import annotations

from datetime import timedelta

from app.models.statements.events.deliveries import delete_old_dead_letters
from app.models.statements.events.recorded_events import drop_partition, read_days, today
from app.stores.postgres import Database

CHUNK_SIZE = 2000
"""Dead letters that one statement deletes."""


class EventRetention:
    """Drops the partitions of events that are older than the retention, whether or not they were delivered.

    Dead letters are deleted when they have been dead for as long.
    """

    def __init__(self, database: Database, retention_days: int) -> None:
        self._database = database
        self._retention_days = retention_days

    async def __call__(self) -> int:
        """Drop partitions, and return how many. Delete old dead letters. Raises ServiceUnavailable."""
        async with self._database.connect() as connection:
            first_kept = await today(connection) - timedelta(days=self._retention_days)
            expired = [day for day in await read_days(connection) if day < first_kept]
        for day in expired:
            async with self._database.begin() as connection:
                await drop_partition(connection, day)
        deleted = CHUNK_SIZE
        while deleted == CHUNK_SIZE:
            async with self._database.begin() as connection:
                deleted = await delete_old_dead_letters(connection, self._retention_days, CHUNK_SIZE)
        return len(expired)
