"""The statements about streams that events are published to."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SELECT_CONSUMERS = text("SELECT name, position FROM event_consumers ORDER BY name")
SELECT_POSITION = text("SELECT position FROM event_consumers WHERE name = :name")
# A new stream begins with the events that are recorded from now on.
INSERT_CONSUMER = text(
    """
    INSERT INTO event_consumers (name, position) SELECT :name, last_position FROM event_sequence
    ON CONFLICT DO NOTHING
    """
)
ADVANCE = text("UPDATE event_consumers SET position = :position WHERE name = :name AND position < :position")


async def read_consumers(connection: AsyncConnection) -> dict[str, int]:
    """Return the positions of all streams."""
    return {row.name: row.position for row in await connection.execute(SELECT_CONSUMERS)}


async def position_of(connection: AsyncConnection, name: str) -> int | None:
    """Return the position of a stream; None if it is new."""
    position: int | None = (await connection.execute(SELECT_POSITION, {"name": name})).scalar_one_or_none()
    return position


async def add_consumer(connection: AsyncConnection, name: str) -> None:
    """Add a stream, unless it exists."""
    await connection.execute(INSERT_CONSUMER, {"name": name})


async def advance_consumer(connection: AsyncConnection, name: str, position: int) -> None:
    """Store that a stream has all events up to `position`."""
    await connection.execute(ADVANCE, {"name": name, "position": position})
