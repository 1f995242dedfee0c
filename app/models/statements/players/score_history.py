"""The statements that read the score of one user over time, and the transactions.

Each reads only the chain of that user, by its index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.entries import LedgerEntry
from app.domain.ledger.transactions import Kind
from app.domain.players.score_history import FIRST_MONDAY, Buckets

SELECT_OPENING_SCORE = text(
    """
    SELECT coalesce(
        (
            SELECT t.score FROM score_transactions t
            WHERE t.user_id = :user AND t.category_id = :category AND t.created_at < :first
            ORDER BY t.seq DESC LIMIT 1
        ),
        (SELECT x.delta FROM archived_totals x WHERE x.user_id = :user AND x.category_id = :category)
    ) FROM users u WHERE u.id = :user AND u.hidden_at IS NULL
    """
)

SELECT_SCORE_CHANGES = text(
    """
    SELECT date_bin(CAST(:step AS interval), t.created_at, CAST(:origin AS timestamptz)) AS starts_at,
           (array_agg(t.score ORDER BY t.seq DESC))[1] AS score, sum(t.delta) AS gained
    FROM score_transactions t JOIN users u ON u.id = t.user_id
    WHERE t.user_id = :user AND t.category_id = :category AND u.hidden_at IS NULL
      AND t.created_at >= :first AND t.created_at < :end
    GROUP BY 1
    """
)

_ENTRIES = """
    SELECT id, seq, category_id, action_id, kind, points, delta, score, actor_role, reason, created_at
    FROM score_transactions
"""
SELECT_CHAIN = text(f"{_ENTRIES} WHERE user_id = :user AND seq < :before ORDER BY seq DESC LIMIT :limit")
SELECT_ENTRY = text(f"{_ENTRIES} WHERE id = :id AND (CAST(:owner AS uuid) IS NULL OR user_id = :owner)")

AFTER_LAST_TRANSACTION = 2**63 - 1
"""A position in a chain after every transaction."""


async def read_score_changes(
    connection: AsyncConnection, user_id: UUID, category: str, buckets: Buckets
) -> tuple[int, Mapping[datetime, tuple[int, int]]]:
    """Return the all-time score before the first bucket, and the score and gain of each bucket with transactions.

    A hidden user has no scores.
    """
    parameters = {"user": user_id, "category": category, "first": buckets.first}
    opening = (await connection.execute(SELECT_OPENING_SCORE, parameters)).scalar_one_or_none()
    range_parameters = {"step": buckets.step.length, "origin": FIRST_MONDAY, "end": buckets.end}
    rows = await connection.execute(SELECT_SCORE_CHANGES, parameters | range_parameters)
    return opening or 0, {row.starts_at: (row.score, int(row.gained)) for row in rows}


async def read_chain(connection: AsyncConnection, user_id: UUID, before: int, limit: int) -> Sequence[LedgerEntry]:
    """Return up to `limit` transactions of a user with a position below `before`, the newest first."""
    rows = await connection.execute(SELECT_CHAIN, {"user": user_id, "before": before, "limit": limit})
    return [_entry(row) for row in rows]


async def find_entry(connection: AsyncConnection, transaction_id: UUID, owner: UUID | None) -> LedgerEntry | None:
    """Return a transaction of `owner`, or of anybody if it is None; None if there is no such transaction."""
    row = (await connection.execute(SELECT_ENTRY, {"id": transaction_id, "owner": owner})).one_or_none()
    return None if row is None else _entry(row)


def _entry(row: Row[Any]) -> LedgerEntry:
    return LedgerEntry(**(row._asdict() | {"kind": Kind(row.kind)}))
