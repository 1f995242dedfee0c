"""The statements about deliveries that have not succeeded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.events.delivery import Delivery

_COLUMNS = (
    "d.position, d.event_id, d.type, d.subject, d.envelope, d.attempts, d.first_attempt_at, d.dead_at, d.last_error"
)

# A few subjects that are due, each with the deliveries that wait behind its first one.
SELECT_DUE = text(
    f"""
    WITH due AS (
        SELECT subject FROM event_deliveries
        WHERE endpoint_id = :endpoint AND dead_at IS NULL AND next_attempt_at <= :now
        ORDER BY next_attempt_at LIMIT :subjects
    )
    SELECT {_COLUMNS} FROM event_deliveries d
    WHERE endpoint_id = :endpoint AND dead_at IS NULL AND subject IN (SELECT subject FROM due)
    ORDER BY position LIMIT :limit
    """  # noqa: S608 - constants
)
SELECT_WAITING_SUBJECTS = text(
    """
    SELECT DISTINCT subject FROM event_deliveries
    WHERE endpoint_id = :endpoint AND dead_at IS NULL AND subject = ANY(CAST(:subjects AS text[]))
    """
)
COUNT_WAITING = text("SELECT count(*) FROM event_deliveries WHERE endpoint_id = :endpoint AND dead_at IS NULL")
UPSERT_DELIVERIES = text(
    """
    INSERT INTO event_deliveries (
        endpoint_id, position, event_id, type, subject, envelope, attempts, first_attempt_at, next_attempt_at, dead_at,
        last_error
    )
    VALUES (
        :endpoint, :position, :event_id, :type, :subject, :envelope, :attempts, :first_attempt_at, :next_attempt_at,
        :dead_at, :last_error
    )
    ON CONFLICT (endpoint_id, position) DO UPDATE SET
        attempts = excluded.attempts, first_attempt_at = excluded.first_attempt_at,
        next_attempt_at = excluded.next_attempt_at, dead_at = excluded.dead_at, last_error = excluded.last_error
    """
)
DELETE_DELIVERIES = text(
    "DELETE FROM event_deliveries WHERE endpoint_id = :endpoint AND position = ANY(CAST(:positions AS bigint[]))"
)
# After the first delivery of a subject is gone, the next one is the first.
LET_FIRST_BE_DUE = text(
    """
    UPDATE event_deliveries SET next_attempt_at = :now
    WHERE endpoint_id = :endpoint AND next_attempt_at IS NULL AND position IN (
        SELECT min(position) FROM event_deliveries
        WHERE endpoint_id = :endpoint AND dead_at IS NULL AND subject = ANY(CAST(:subjects AS text[]))
        GROUP BY subject
    )
    """
)
SELECT_DEAD = text(
    f"""
    SELECT {_COLUMNS} FROM event_deliveries d
    WHERE endpoint_id = :endpoint AND dead_at IS NOT NULL AND position > :after ORDER BY position LIMIT :limit
    """  # noqa: S608 - constants
)
RESEND_DEAD = text(
    """
    UPDATE event_deliveries SET dead_at = NULL, attempts = 0, first_attempt_at = NULL, next_attempt_at = :now
    WHERE endpoint_id = :endpoint AND dead_at IS NOT NULL
      AND (CAST(:positions AS bigint[]) IS NULL OR position = ANY(CAST(:positions AS bigint[])))
    """
)

DELETE_OLD_DEAD = text(
    """
    DELETE FROM event_deliveries WHERE (endpoint_id, position) IN (
        SELECT endpoint_id, position FROM event_deliveries
        WHERE dead_at < now() - CAST(:days AS int) * interval '1 day' ORDER BY dead_at LIMIT :limit
    )
    """
)


async def read_due(
    connection: AsyncConnection, endpoint_id: UUID, now: datetime, subjects: int, limit: int
) -> list[Delivery]:
    """Return deliveries of up to `subjects` subjects that are due, each subject from its first delivery on."""
    named = {"endpoint": endpoint_id, "now": now, "subjects": subjects, "limit": limit}
    return [_delivery(row) for row in await connection.execute(SELECT_DUE, named)]


async def waiting_subjects(connection: AsyncConnection, endpoint_id: UUID, subjects: Collection[str]) -> set[str]:
    """Return those of `subjects` that have a delivery which has not succeeded yet."""
    named = {"endpoint": endpoint_id, "subjects": list(subjects)}
    return set((await connection.execute(SELECT_WAITING_SUBJECTS, named)).scalars())


async def count_waiting(connection: AsyncConnection, endpoint_id: UUID) -> int:
    """Return how many deliveries wait for another attempt."""
    count: int = (await connection.execute(COUNT_WAITING, {"endpoint": endpoint_id})).scalar_one()
    return count


async def store_deliveries(connection: AsyncConnection, endpoint_id: UUID, deliveries: Sequence[Delivery]) -> None:
    """Insert deliveries, or store their new state."""
    if deliveries:
        await connection.execute(
            UPSERT_DELIVERIES,
            [
                {
                    "endpoint": endpoint_id, "position": one.position, "event_id": one.event_id, "type": one.type,
                    "subject": one.subject, "envelope": one.envelope, "attempts": one.attempts,
                    "first_attempt_at": one.first_attempt_at, "next_attempt_at": one.next_attempt_at,
                    "dead_at": one.dead_at, "last_error": one.last_error,
                }
                for one in deliveries
            ],
        )  # fmt: skip


async def finish_deliveries(
    connection: AsyncConnection, endpoint_id: UUID, positions: Sequence[int], subjects: Collection[str], now: datetime
) -> None:
    """Delete deliveries that have succeeded, and let the next ones of these subjects be due."""
    await connection.execute(DELETE_DELIVERIES, {"endpoint": endpoint_id, "positions": list(positions)})
    await connection.execute(LET_FIRST_BE_DUE, {"endpoint": endpoint_id, "subjects": list(subjects), "now": now})


async def read_dead(connection: AsyncConnection, endpoint_id: UUID, after: int, limit: int) -> list[Delivery]:
    """Return dead letters behind a position, in order."""
    named = {"endpoint": endpoint_id, "after": after, "limit": limit}
    return [_delivery(row) for row in await connection.execute(SELECT_DEAD, named)]


async def resend_dead(
    connection: AsyncConnection, endpoint_id: UUID, positions: Sequence[int] | None, now: datetime
) -> int:
    """Let dead letters be delivered again, all of them if `positions` is None, and return how many."""
    named = {"endpoint": endpoint_id, "positions": positions, "now": now}
    return (await connection.execute(RESEND_DEAD, named)).rowcount


async def delete_old_dead_letters(connection: AsyncConnection, days: int, limit: int) -> int:
    """Delete up to `limit` dead letters that were given up more than `days` days ago, and return how many."""
    return (await connection.execute(DELETE_OLD_DEAD, {"days": days, "limit": limit})).rowcount


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.position,
        row.event_id,
        row.type,
        row.subject,
        row.envelope,
        row.attempts,
        row.first_attempt_at,
        None,
        row.dead_at,
        row.last_error,
    )
