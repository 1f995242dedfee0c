"""Statements that move a closed month of the ledger to a file: read it, record what the database keeps, drop it."""

# ruff: noqa: S608 - the names of partitions are made here

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.models.statements.boards.past_boards import keep_checkpoints_from
from app.models.statements.ledger.partitions import LEDGER, Month, limit_lock_waits

COLUMNS = (
    "id", "user_id", "seq", "category_id", "action_id", "kind", "points", "delta", "score", "token_hash",
    "request_key", "request_hash", "actor_id", "actor_role", "address_commitment", "user_agent_commitment",
    "reason_commitment", "created_at", "previous_hash", "hash",
)  # fmt: skip
"""The columns in a month file: those that the hash covers. Reasons are not among them, so that they can be erased."""

_CREATE_SEGMENTS = """
    CREATE TEMP TABLE new_segments ON COMMIT DROP AS
    SELECT user_id, min(seq) AS first_seq, max(seq) AS last_seq,
           (array_agg(previous_hash ORDER BY seq))[1] AS previous_hash,
           (array_agg(hash ORDER BY seq DESC))[1] AS last_hash
    FROM (
        SELECT user_id, seq, previous_hash, hash, seq - row_number() OVER (PARTITION BY user_id ORDER BY seq) AS run
        FROM {partition}
    ) t GROUP BY user_id, run
"""
_CREATE_TOTALS = """
    CREATE TEMP TABLE new_totals ON COMMIT DROP AS
    SELECT t.user_id, t.category_id, sum(t.delta) AS delta,
           count(*) FILTER (WHERE t.kind IN ('ACTION', 'SIGNED_ACTION', 'SERVER_ACTION', 'RELEASE')) AS actions,
           coalesce(sum(CASE c.operator WHEN 'SUM' THEN t.delta ELSE t.points END)
               FILTER (WHERE t.kind IN ('ACTION', 'SIGNED_ACTION', 'SERVER_ACTION', 'RELEASE')), 0) AS points,
           bool_or(t.kind NOT IN ('ACTION', 'SIGNED_ACTION', 'SERVER_ACTION', 'HELD', 'REJECTION')) AS corrected,
           max(t.created_at) FILTER (WHERE t.delta <> 0) AS reached_at
    FROM {partition} t JOIN categories c ON c.id = t.category_id
    GROUP BY t.user_id, t.category_id
"""
_CREATE_ACTIONS = """
    CREATE TEMP TABLE new_actions ON COMMIT DROP AS
    SELECT user_id, action_id, max(created_at) AS last_at FROM {partition}
    WHERE action_id IS NOT NULL GROUP BY user_id, action_id
"""
_ADD_SEGMENTS = """
    INSERT INTO archived_segments SELECT user_id, first_seq, last_seq, previous_hash, last_hash FROM new_segments
"""
# Segments that continue each other become one, of which the first one has the beginning and the last one the end.
_MERGE_SEGMENTS = """
    WITH marked AS (
        SELECT user_id, first_seq, last_seq, last_hash,
               count(*) FILTER (WHERE is_start) OVER (PARTITION BY user_id ORDER BY first_seq) AS run
        FROM (
            SELECT *, first_seq - 1 IS DISTINCT FROM lag(last_seq) OVER (PARTITION BY user_id ORDER BY first_seq)
                AS is_start
            FROM archived_segments WHERE user_id IN (SELECT user_id FROM new_segments)
        ) s
    ), runs AS (
        SELECT user_id, min(first_seq) AS first_seq, max(last_seq) AS last_seq,
               (array_agg(last_hash ORDER BY last_seq DESC))[1] AS last_hash
        FROM marked GROUP BY user_id, run HAVING count(*) > 1
    ), deleted AS (
        DELETE FROM archived_segments a USING runs r
        WHERE a.user_id = r.user_id AND a.first_seq > r.first_seq AND a.first_seq <= r.last_seq
    )
    UPDATE archived_segments a SET last_seq = r.last_seq, last_hash = r.last_hash
    FROM runs r WHERE a.user_id = r.user_id AND a.first_seq = r.first_seq
"""
_MERGE_TOTALS = """
    INSERT INTO archived_totals AS old (user_id, category_id, delta, actions, points, corrected, reached_at)
    SELECT user_id, category_id, delta, actions, points, corrected, reached_at FROM new_totals
    ON CONFLICT (user_id, category_id) DO UPDATE SET
        delta = old.delta + excluded.delta, actions = old.actions + excluded.actions,
        points = old.points + excluded.points, corrected = old.corrected OR excluded.corrected,
        reached_at = greatest(old.reached_at, excluded.reached_at)
"""
_MERGE_ACTIONS = """
    INSERT INTO archived_actions AS old (user_id, action_id, last_at)
    SELECT user_id, action_id, last_at FROM new_actions
    ON CONFLICT (user_id, action_id) DO UPDATE SET last_at = greatest(old.last_at, excluded.last_at)
"""
_ADD_MONTH = text(
    """
    INSERT INTO archived_months (month, part, file, sha256, transactions, archived_at)
    VALUES (:month, :part, :file, :sha256, :transactions, :now)
    """
)
# What an entry shows is kept, of closed windows too, and what a moderator may still release.
_DELETE_METADATA = text(
    """
    DELETE FROM entry_metadata m WHERE m.reached_at >= :start AND m.reached_at < :end
        AND NOT EXISTS (
            SELECT FROM scores s
            WHERE s.user_id = m.user_id AND s.category_id = m.category_id AND s.reached_at = m.reached_at
        )
        AND NOT EXISTS (
            SELECT FROM flags f
            WHERE f.user_id = m.user_id AND f.created_at = m.reached_at AND f.status = 'OPEN'
        )
    """
)
_SELECT_MONTHS = text("SELECT month, part, file, sha256, transactions FROM archived_months ORDER BY month, part")
_LAST_MONTH = text("SELECT max(month) FROM archived_months")
_NEXT_PART = text("SELECT coalesce(max(part), 0) + 1 FROM archived_months WHERE month = :month")
_HAS_ARCHIVED = text("SELECT EXISTS (SELECT FROM archived_totals WHERE user_id = :user AND category_id = :category)")
_SELECT_SEGMENTS = text(
    """
    SELECT user_id, first_seq, last_seq, previous_hash, last_hash FROM archived_segments
    WHERE user_id = ANY(CAST(:users AS uuid[])) ORDER BY user_id, first_seq
    """
)


class MonthChanged(Exception):
    """The month has other transactions than its file: some were added while it was written."""


@dataclass(frozen=True, slots=True)
class MonthFileRecord:
    """What the database knows of a month file."""

    month: Month
    part: int
    file: str
    sha256: bytes
    transactions: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a user's chain in archive files."""

    first_seq: int
    last_seq: int
    previous_hash: bytes
    last_hash: bytes


async def read_archived_months(connection: AsyncConnection) -> list[MonthFileRecord]:
    """Return all month files, in order."""
    rows = await connection.execute(_SELECT_MONTHS)
    return [MonthFileRecord(Month.of(row.month), row.part, row.file, row.sha256, row.transactions) for row in rows]


async def read_archived_until(connection: AsyncConnection) -> datetime | None:
    """Return the end of the last archived month; None if no month was archived."""
    last = (await connection.execute(_LAST_MONTH)).scalar_one_or_none()
    return None if last is None else Month.of(last).end


async def next_part(connection: AsyncConnection, month: Month) -> int:
    """Return the number that the next file of a month gets."""
    number: int = (await connection.execute(_NEXT_PART, {"month": month.first_day})).scalar_one()
    return number


async def has_archived_transactions(connection: AsyncConnection, user_id: UUID, category_id: str) -> bool:
    """Return whether transactions of a user in a category were moved to files."""
    return bool((await connection.execute(_HAS_ARCHIVED, {"user": user_id, "category": category_id})).scalar_one())


async def read_segments(connection: AsyncConnection, users: Sequence[UUID]) -> dict[UUID, list[Segment]]:
    """Return the archived segments of users, in order."""
    found: dict[UUID, list[Segment]] = {}
    for user_id, *segment in await connection.execute(_SELECT_SEGMENTS, {"users": list(users)}):
        found.setdefault(user_id, []).append(Segment(*segment))
    return found


async def stream_month(connection: AsyncConnection, month: Month) -> AsyncIterator[Row[Any]]:
    """Yield the transactions of a month in order of user and position; a few thousand are in memory at a time."""
    statement = text(f"SELECT {', '.join(COLUMNS)} FROM {month.partition} ORDER BY user_id, seq")
    async with connection.stream(statement, execution_options={"yield_per": 2000}) as rows:
        async for row in rows:
            yield row


async def drop_empty_month(connection: AsyncConnection, month: Month) -> bool:
    """Drop the partition of a month without transactions; return False if it has any."""
    await connection.execute(text(f"LOCK TABLE {month.partition} IN SHARE MODE"))
    if (await connection.execute(text(f"SELECT EXISTS (SELECT FROM {month.partition})"))).scalar_one():
        return False
    await _drop(connection, month)
    return True


async def replace_month(connection: AsyncConnection, record: MonthFileRecord, now: datetime) -> None:
    """Record what the database keeps of a month, and drop its partition, within the transaction of `connection`.

    The partition is summarised before anything is locked. Readers of the ledger wait only while it is detached.

    Raises:
        MonthChanged: The partition does not have as many transactions as the file.
    """
    month = record.month
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    for statement in (_CREATE_SEGMENTS, _CREATE_TOTALS, _CREATE_ACTIONS):
        await connection.execute(text(statement.format(partition=month.partition)))
    await connection.execute(text(f"LOCK TABLE {month.partition} IN SHARE MODE"))
    count = (await connection.execute(text(f"SELECT count(*) FROM {month.partition}"))).scalar_one()
    summarised = (
        await connection.execute(text("SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM new_segments"))
    ).scalar_one()
    if not count == summarised == record.transactions:
        raise MonthChanged
    for statement in (_ADD_SEGMENTS, _MERGE_SEGMENTS, _MERGE_TOTALS, _MERGE_ACTIONS):
        await connection.execute(text(statement))
    values: dict[str, Any] = {"month": month.first_day, "part": record.part, "file": record.file}
    values |= {"sha256": record.sha256, "transactions": record.transactions, "now": now}
    await connection.execute(_ADD_MONTH, values)
    await connection.execute(_DELETE_METADATA, {"start": month.start, "end": month.end})
    await _drop(connection, month)
    await keep_checkpoints_from(connection, month.end)


async def _drop(connection: AsyncConnection, month: Month) -> None:
    await limit_lock_waits(connection)
    await connection.execute(text(f"ALTER TABLE {LEDGER} DETACH PARTITION {month.partition}"))
    await connection.execute(text(f"DROP TABLE {month.partition}"))
