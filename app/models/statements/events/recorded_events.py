"""The statements that read events in their order, and the partitions that hold them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.events.event import RecordedEvent

_PARTITION_NAME = re.compile(r"events_(\d{4})_(\d{2})_(\d{2})")

SELECT_EVENTS = text(
    """
    SELECT position, recorded_at, event_id, type, subject, category_id, occurred_at, data FROM events
    WHERE position > :after AND position <= :through ORDER BY position LIMIT :limit
    """
)
SELECT_LAST_POSITION = text("SELECT last_position FROM event_sequence WHERE id = 1")
SELECT_FIRST_POSITION = text("SELECT min(position) FROM events")
# Positions grow with time.
SELECT_POSITION_BEFORE = text("SELECT min(position) - 1 FROM events WHERE recorded_at >= :since")
SELECT_PARTITIONS = text(
    """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'events'::regclass ORDER BY c.relname
    """
)
SELECT_TODAY = text("SELECT CAST(now() AT TIME ZONE 'UTC' AS date)")


async def read_events(
    connection: AsyncConnection, after: int, limit: int, through: int = 2**63 - 1
) -> list[RecordedEvent]:
    """Return the events behind position `after`, in order, and not beyond `through`."""
    rows = await connection.execute(SELECT_EVENTS, {"after": after, "through": through, "limit": limit})
    return [_event(row) for row in rows]


async def last_position(connection: AsyncConnection) -> int:
    """Return the last position that was given; 0 before the first."""
    position: int = (await connection.execute(SELECT_LAST_POSITION)).scalar_one()
    return position


async def first_position(connection: AsyncConnection) -> int | None:
    """Return the first position that is still kept; None if there is no event."""
    position: int | None = (await connection.execute(SELECT_FIRST_POSITION)).scalar_one()
    return position


async def position_before(connection: AsyncConnection, since: datetime) -> int:
    """Return the position behind which the events are that were recorded at `since` or later."""
    position: int | None = (await connection.execute(SELECT_POSITION_BEFORE, {"since": since})).scalar_one()
    return await last_position(connection) if position is None else position


async def read_days(connection: AsyncConnection) -> list[date]:
    """Return the days that have a partition, in order."""
    names = (await connection.execute(SELECT_PARTITIONS)).scalars()
    return sorted(date(*map(int, found.groups())) for name in names if (found := _PARTITION_NAME.fullmatch(name)))


async def today(connection: AsyncConnection) -> date:
    """Return the day in UTC by the clock of PostgreSQL."""
    day: date = (await connection.execute(SELECT_TODAY)).scalar_one()
    return day


async def create_partition(connection: AsyncConnection, day: date) -> None:
    """Create the partition of a day, unless there is one."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    bounds = f"FROM ('{start.isoformat()}') TO ('{(start + timedelta(days=1)).isoformat()}')"
    await connection.execute(text(f"CREATE TABLE IF NOT EXISTS {_name(day)} PARTITION OF events FOR VALUES {bounds}"))


async def drop_partition(connection: AsyncConnection, day: date) -> None:
    """Drop the partition of a day with its events."""
    await connection.execute(text(f"DROP TABLE IF EXISTS {_name(day)}"))


def _name(day: date) -> str:
    return f"events_{day:%Y_%m_%d}"


def _event(row: Row[Any]) -> RecordedEvent:
    return RecordedEvent(
        row.position,
        row.recorded_at,
        row.event_id,
        row.type,
        row.subject,
        row.category_id,
        row.occurred_at,
        row.data,
    )
