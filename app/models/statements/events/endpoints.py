"""The statements about endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.events.endpoint import MAX_ENDPOINTS, Endpoint, EndpointReport

_COLUMNS = """
    e.id, e.url, e.types, e.categories, e.secret, e.previous_secret, e.previous_secret_until, e.position, e.failures,
    e.failing_since, e.paused_until, e.disabled_at, e.disabled_reason, e.last_error, e.last_success_at, e.lost,
    e.created_at, e.created_by
"""
SELECT_ENDPOINT = text(f"SELECT {_COLUMNS} FROM event_endpoints e WHERE id = :id")  # noqa: S608 - constants
LOCK_ENDPOINT = text(f"SELECT {_COLUMNS} FROM event_endpoints e WHERE id = :id FOR UPDATE")  # noqa: S608 - constants
# Positions have no gaps, so that differences are numbers of events.
SELECT_REPORTS = text(
    f"""
    SELECT {_COLUMNS}, q.last_position - e.position + d.waiting AS undelivered, d.dead,
           (SELECT recorded_at FROM events v WHERE v.position > e.position ORDER BY v.position LIMIT 1) AS oldest
    FROM event_endpoints e
    CROSS JOIN event_sequence q
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE dead_at IS NULL) AS waiting, count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead
        FROM event_deliveries WHERE endpoint_id = e.id
    ) d
    WHERE CAST(:id AS uuid) IS NULL OR e.id = :id
    ORDER BY e.id
    """  # noqa: S608 - constants
)
LOCK_NUMBER_OF_ENDPOINTS = text("SELECT pg_advisory_xact_lock(hashtext('event_endpoints'))")
INSERT_ENDPOINT = text(
    """
    INSERT INTO event_endpoints (id, url, types, categories, secret, position, created_at, created_by)
    SELECT CAST(:id AS uuid), :url, CAST(:types AS text[]), CAST(:categories AS text[]), :secret,
           (SELECT last_position FROM event_sequence), CAST(:now AS timestamptz), CAST(:by AS uuid)
    WHERE (SELECT count(*) FROM event_endpoints) < :max_endpoints
    RETURNING position
    """
)
DELETE_ENDPOINT = text("DELETE FROM event_endpoints WHERE id = :id")
ROTATE_SECRET = text(
    """
    UPDATE event_endpoints
    SET secret = :secret, previous_secret = secret, previous_secret_until = CAST(:until AS timestamptz)
    WHERE id = :id
    """
)
RESUME_ENDPOINT = text(
    """
    UPDATE event_endpoints SET failures = 0, failing_since = NULL, paused_until = NULL, disabled_at = NULL,
           disabled_reason = NULL
    WHERE id = :id
    """
)
REWIND_ENDPOINT = text("UPDATE event_endpoints SET position = least(position, :position) WHERE id = :id")
DISABLE_ENDPOINT = text("UPDATE event_endpoints SET disabled_at = :now, disabled_reason = :reason WHERE id = :id")
ENDPOINTS_WITH_WORK = text(
    """
    SELECT id FROM event_endpoints e
    WHERE disabled_at IS NULL AND (paused_until IS NULL OR paused_until <= :now)
      AND (position < (SELECT last_position FROM event_sequence)
           OR EXISTS (SELECT FROM event_deliveries d
                      WHERE d.endpoint_id = e.id AND d.dead_at IS NULL AND d.next_attempt_at <= :now))
    """
)
# Who has delivered at the same time has moved the position.
ADVANCE = text(
    """
    UPDATE event_endpoints SET position = :position, lost = lost + :lost, failures = :failures,
           failing_since = :failing_since, paused_until = :paused_until, last_error = :last_error,
           last_success_at = :last_success_at, disabled_at = coalesce(disabled_at, CAST(:disabled_at AS timestamptz)),
           disabled_reason = coalesce(disabled_reason, CAST(:disabled_reason AS text))
    WHERE id = :id AND position = :expected
    RETURNING id
    """
)


async def find_endpoint(
    connection: AsyncConnection, endpoint_id: UUID, now: datetime, *, lock: bool = False
) -> Endpoint | None:
    """Return the endpoint with this id, None if there is none; lock it if asked for."""
    statement = LOCK_ENDPOINT if lock else SELECT_ENDPOINT
    row = (await connection.execute(statement, {"id": endpoint_id})).one_or_none()
    return None if row is None else _endpoint(row, now)


async def read_reports(
    connection: AsyncConnection, now: datetime, endpoint_id: UUID | None = None
) -> list[EndpointReport]:
    """Return all endpoints, or one of them, with what is still to be delivered; the oldest first."""
    rows = await connection.execute(SELECT_REPORTS, {"id": endpoint_id})
    return [EndpointReport(_endpoint(row, now), row.undelivered, row.oldest, row.dead) for row in rows]


async def insert_endpoint(
    connection: AsyncConnection,
    endpoint_id: UUID,
    url: str,
    types: Sequence[str],
    categories: Sequence[str],
    secret: str,
    now: datetime,
    created_by: UUID | None,
) -> bool:
    """Insert an endpoint that gets the events from now on; return False if there are too many."""
    await connection.execute(LOCK_NUMBER_OF_ENDPOINTS)
    named = {
        "id": endpoint_id, "url": url, "types": list(types), "categories": list(categories), "secret": secret,
        "now": now, "by": created_by, "max_endpoints": MAX_ENDPOINTS,
    }  # fmt: skip
    return (await connection.execute(INSERT_ENDPOINT, named)).one_or_none() is not None


async def delete_endpoint(connection: AsyncConnection, endpoint_id: UUID) -> None:
    """Delete an endpoint with its deliveries."""
    await connection.execute(DELETE_ENDPOINT, {"id": endpoint_id})


async def rotate_secret(connection: AsyncConnection, endpoint_id: UUID, secret: str, until: datetime) -> None:
    """Replace the secret of an endpoint; the present one is used too until `until`."""
    await connection.execute(ROTATE_SECRET, {"id": endpoint_id, "secret": secret, "until": until})


async def resume_endpoint(connection: AsyncConnection, endpoint_id: UUID) -> None:
    """Let deliveries be made again."""
    await connection.execute(RESUME_ENDPOINT, {"id": endpoint_id})


async def rewind_endpoint(connection: AsyncConnection, endpoint_id: UUID, position: int) -> None:
    """Let the events behind `position` be delivered again."""
    await connection.execute(REWIND_ENDPOINT, {"id": endpoint_id, "position": position})


async def disable_endpoint(connection: AsyncConnection, endpoint_id: UUID, reason: str, now: datetime) -> None:
    """Let no deliveries be made."""
    await connection.execute(DISABLE_ENDPOINT, {"id": endpoint_id, "reason": reason, "now": now})


async def endpoints_with_work(connection: AsyncConnection, now: datetime) -> list[UUID]:
    """Return the endpoints with events behind their position, or with deliveries that are due."""
    return list((await connection.execute(ENDPOINTS_WITH_WORK, {"now": now})).scalars())


async def advance(connection: AsyncConnection, expected: int, endpoint: Endpoint, lost: int) -> bool:
    """Store the state of an endpoint after deliveries.

    Args:
        connection: The transaction.
        expected: The position before.
        endpoint: The new state.
        lost: Events that were deleted before they could be read.

    Returns:
        False if the endpoint is gone or has another position: then nothing was stored.
    """
    named = {
        "id": endpoint.id, "expected": expected, "position": endpoint.position, "lost": lost,
        "failures": endpoint.failures, "failing_since": endpoint.failing_since, "paused_until": endpoint.paused_until,
        "last_error": endpoint.last_error, "last_success_at": endpoint.last_success_at,
        "disabled_at": endpoint.disabled_at, "disabled_reason": endpoint.disabled_reason,
    }  # fmt: skip
    return (await connection.execute(ADVANCE, named)).one_or_none() is not None


def _endpoint(row: Row[Any], now: datetime) -> Endpoint:
    secrets = [row.secret]
    if row.previous_secret is not None and row.previous_secret_until - now > timedelta():
        secrets.append(row.previous_secret)
    return Endpoint(
        id=row.id,
        url=row.url,
        types=tuple(row.types),
        categories=tuple(row.categories),
        secrets=tuple(secrets),
        position=row.position,
        created_at=row.created_at,
        created_by=row.created_by,
        failures=row.failures,
        failing_since=row.failing_since,
        paused_until=row.paused_until,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        last_error=row.last_error,
        last_success_at=row.last_success_at,
        lost=row.lost,
    )
