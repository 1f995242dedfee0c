"""The statements that record events with their facts, and give them their positions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.events.event import Event, to_json
from app.models.statements.executor import Executor

NewEvents = Sequence[tuple[UUID, Event]]
"""Events with their ids."""

INSERT = """
    INSERT INTO committed_events (event_id, type, subject, category_id, occurred_at, data)
    SELECT * FROM unnest(
        (SELECT CAST(:v_id AS uuid[])), CAST(:v_type AS text[]), CAST(:v_subject AS text[]),
        CAST(:v_category AS text[]), CAST(:v_time AS timestamptz[]), CAST(:v_data AS text[])
    )
"""
"""Inserts the events of `columns_of`, in their order."""

INSERT_EVENTS = text(INSERT)

HAS_NEW_EVENTS = text("SELECT EXISTS (SELECT FROM committed_events)")

SELECT_BACKLOG = text(
    """
    SELECT (SELECT count(*) FROM (SELECT FROM committed_events LIMIT 100000) counted) AS number,
           (SELECT occurred_at FROM committed_events ORDER BY id LIMIT 1) AS oldest
    """
)

# Held until the end of the transaction, so that positions have no gaps and the order of commits.
LOCK_SEQUENCE = text("SELECT last_position FROM event_sequence WHERE id = 1 FOR UPDATE")

# An id whose transaction has not committed yet is not visible, and gets a higher position than later ones that are.
# That is right: a later transaction about the same subject has waited for it, and so is not visible either.
MOVE_EVENTS = text(
    """
    WITH taken AS (
        DELETE FROM committed_events
        WHERE id = ANY (ARRAY(SELECT id FROM committed_events ORDER BY id LIMIT :limit)) RETURNING *
    ), numbered AS (
        SELECT *, row_number() OVER (ORDER BY id) AS number FROM taken
    ), moved AS (
        INSERT INTO events (position, recorded_at, event_id, type, subject, category_id, occurred_at, data)
        SELECT CAST(:last AS bigint) + number, now(), event_id, type, subject, category_id, occurred_at, data
        FROM numbered
        RETURNING 1
    )
    UPDATE event_sequence SET last_position = last_position + (SELECT count(*) FROM moved) WHERE id = 1
    RETURNING last_position
    """
)


def columns_of(events: NewEvents) -> dict[str, list[Any]]:
    """Return the parameters of `INSERT`."""
    return {
        "v_id": [event_id for event_id, _ in events],
        "v_type": [event.type.value for _, event in events],
        "v_subject": [event.subject for _, event in events],
        "v_category": [event.category for _, event in events],
        "v_time": [event.time for _, event in events],
        "v_data": [to_json(event.data) for _, event in events],
    }


async def insert_events(connection: Executor, events: NewEvents) -> None:
    """Insert events into the transaction of `connection`, in their order."""
    await connection.execute(INSERT_EVENTS, columns_of(events))


async def has_new_events(connection: AsyncConnection) -> bool:
    """Return whether there are events without a position."""
    return bool((await connection.execute(HAS_NEW_EVENTS)).scalar_one())


async def lock_sequence(connection: AsyncConnection) -> int:
    """Lock the sequence until the end of the transaction, and return the last position that was given."""
    last: int = (await connection.execute(LOCK_SEQUENCE)).scalar_one()
    return last


async def give_positions(connection: AsyncConnection, last: int, limit: int) -> int:
    """Give up to `limit` committed events the positions after `last`, under the lock, and return how many."""
    reached: int = (await connection.execute(MOVE_EVENTS, {"last": last, "limit": limit})).scalar_one()
    return reached - last


async def read_backlog(connection: AsyncConnection) -> tuple[int, datetime | None]:
    """Return how many events have no position yet, counted up to a limit, and when the first of them happened."""
    row = (await connection.execute(SELECT_BACKLOG)).one()
    return row.number, row.oldest
