"""The statements that read and close flags."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.activity import Verdict
from app.domain.rules.flags import Flag, FlagStatus

_SELECT_FLAGS = """
    SELECT f.id, f.user_id, f.category_id, f.action_id, f.verdict, f.rules, f.points, f.status, f.created_at,
           f.decided_at, f.decided_by, f.reason
    FROM flags f
"""
SELECT_FLAG = text(f"{_SELECT_FLAGS} WHERE f.id = :id")
# Ids sort by time; the newest flags come first.
SELECT_FLAGS_BY_STATUS = text(
    f"""{_SELECT_FLAGS} WHERE f.status = :status AND (CAST(:after AS uuid) IS NULL OR f.id < :after)
    ORDER BY f.id DESC LIMIT :limit"""
)
SELECT_HELD = text(f"{_SELECT_FLAGS} WHERE f.user_id = :user AND f.verdict = 'HOLD' ORDER BY f.id DESC LIMIT :limit")

CLOSE_FLAG = text(
    """
    UPDATE flags SET status = :status, decided_at = :now, decided_by = :by, reason = :reason, decision_id = :decision
    WHERE id = :id
    """
)


async def find_flag(connection: AsyncConnection, flag_id: UUID) -> Flag | None:
    """Return the flag with this id; None if there is none."""
    row = (await connection.execute(SELECT_FLAG, {"id": flag_id})).one_or_none()
    return None if row is None else _flag(row)


async def read_flags(connection: AsyncConnection, status: FlagStatus, after: UUID | None, limit: int) -> list[Flag]:
    """Return the newest flags with a status and an id below `after`, the newest first."""
    return await _flags(connection, SELECT_FLAGS_BY_STATUS, {"status": status.value, "after": after, "limit": limit})


async def read_held(connection: AsyncConnection, user_id: UUID, limit: int) -> list[Flag]:
    """Return a user's newest held completions, including decided ones."""
    return await _flags(connection, SELECT_HELD, {"user": user_id, "limit": limit})


async def close_flag(
    connection: AsyncConnection,
    flag_id: UUID,
    status: FlagStatus,
    by: UUID | None,
    reason: str,
    decision: UUID | None,
    now: datetime,
) -> None:
    """Record the decision about a flag; `decision` is the id of its transaction, if it has one."""
    values = {
        "id": flag_id,
        "status": status.value,
        "now": now,
        "by": by,
        "reason": reason,
        "decision": decision,
    }
    await connection.execute(CLOSE_FLAG, values)


async def _flags(connection: AsyncConnection, statement: TextClause, values: dict[str, Any]) -> list[Flag]:
    return [_flag(row) for row in await connection.execute(statement, values)]


def _flag(row: Row[Any]) -> Flag:
    return Flag(
        row.id,
        row.user_id,
        row.category_id,
        row.action_id,
        Verdict[row.verdict],
        tuple(row.rules),
        row.points,
        FlagStatus(row.status),
        row.created_at,
        row.decided_at,
        row.decided_by,
        row.reason,
    )
