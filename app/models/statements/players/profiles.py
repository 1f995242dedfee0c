"""The statements that read a player profile. Each reads no more than the ledger of one user."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.transactions import Kind
from app.domain.players.profiles import CategoryTotals, CompletedAction
from app.domain.users import Profile

COMPLETED_KINDS = (Kind.ACTION, Kind.SIGNED_ACTION, Kind.SERVER_ACTION)
"""Kinds of transactions that pay a completed action. Held ones are not included, as only their user may see them."""

PAID_KINDS = (*COMPLETED_KINDS, Kind.RELEASE)
"""Kinds of transactions that pay an action, immediately or after a review."""

SELECT_USER = text(
    """
    SELECT username, avatar_url, created_at, hidden_at IS NOT NULL AS hidden FROM users
    WHERE id = :user AND deleted_at IS NULL
    """
)

# In a category with the operator SUM the points of an action are its change of the score, which the cap may have
# limited. With other operators the points are a result, and the change of the score is not meaningful.
SELECT_TOTALS = text(
    """
    SELECT s.category_id, s.score, coalesce(t.actions, 0) AS actions, coalesce(t.points, 0) AS points, d.best
    FROM (SELECT category_id, score FROM scores WHERE user_id = :user AND period = 'ALL_TIME') s
    LEFT JOIN (
        SELECT category_id, sum(actions) AS actions, sum(points) AS points FROM (
            SELECT t.category_id, 1 AS actions, CASE c.operator WHEN 'SUM' THEN t.delta ELSE t.points END AS points
            FROM score_transactions t JOIN categories c ON c.id = t.category_id
            WHERE t.user_id = :user AND t.kind = ANY(CAST(:paid AS text[]))
            UNION ALL
            SELECT category_id, actions, points FROM archived_totals WHERE user_id = :user
        ) a GROUP BY category_id
    ) t USING (category_id)
    LEFT JOIN (
        SELECT d.category_id, min(k.above) + 1 AS best
        FROM scores d JOIN closing_scores k USING (category_id, period, window_start, sort_key)
        WHERE d.user_id = :user AND d.period = 'DAILY' AND NOT d.hidden
        GROUP BY d.category_id
    ) d USING (category_id)
    ORDER BY s.category_id
    """
)

SELECT_LAST_ACTION = text(
    """
    SELECT action_id, category_id, points, created_at FROM score_transactions
    WHERE user_id = :user AND kind = ANY(CAST(:completed AS text[])) AND action_id IS NOT NULL
    ORDER BY seq DESC LIMIT 1
    """
)


async def read_user(connection: AsyncConnection, user_id: UUID) -> Profile | None:
    """Return a user's profile; None if the user does not exist or was deleted."""
    row = (await connection.execute(SELECT_USER, {"user": user_id})).one_or_none()
    if row is None:
        return None
    return Profile(user_id, row.username, row.avatar_url, row.created_at, row.hidden)


async def read_totals(connection: AsyncConnection, user_id: UUID) -> list[CategoryTotals]:
    """Return a user's totals in each category with a score, in order of the category's id."""
    rows = await connection.execute(SELECT_TOTALS, {"user": user_id, "paid": [kind.value for kind in PAID_KINDS]})
    return [CategoryTotals(row.category_id, row.score, int(row.actions), int(row.points), row.best) for row in rows]


async def read_last_action(connection: AsyncConnection, user_id: UUID) -> CompletedAction | None:
    """Return the action that a user completed last; None if there is none."""
    completed = {"user": user_id, "completed": [kind.value for kind in COMPLETED_KINDS]}
    row = (await connection.execute(SELECT_LAST_ACTION, completed)).one_or_none()
    return None if row is None else CompletedAction(row.action_id, row.category_id, row.points, row.created_at)
