"""Reading what a player profile shows. Every statement is about one user, and bounded by that user's own ledger."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.transactions import Kind
from app.domain.players.profiles import CategoryTotals, CompletedAction
from app.domain.users import Profile

COMPLETED = (Kind.ACTION, Kind.SIGNED_ACTION, Kind.SERVER_ACTION)
"""Entries that are a completed and paid action. What is held is not among them: only its owner may know of it."""

PAID = (*COMPLETED, Kind.RELEASE)
"""Entries that pay for an action, one each."""

USER = text(
    """
    SELECT username, avatar_url, created_at, hidden_at IS NOT NULL AS hidden FROM users
    WHERE id = :user AND deleted_at IS NULL
    """
)

# In a category that adds up, an action paid what it did to the score, which the cap may have cut. Elsewhere the points
# are a result, and the change of the score says little.
TOTALS = text(
    """
    SELECT s.category_id, s.score, coalesce(t.actions, 0) AS actions, coalesce(t.points, 0) AS points, d.best
    FROM (SELECT category_id, score FROM scores WHERE user_id = :user AND period = 'ALL_TIME') s
    LEFT JOIN (
        SELECT t.category_id, count(*) AS actions,
               sum(CASE c.operator WHEN 'SUM' THEN t.delta ELSE t.points END) AS points
        FROM score_transactions t JOIN categories c ON c.id = t.category_id
        WHERE t.user_id = :user AND t.kind = ANY(CAST(:paid AS text[]))
        GROUP BY t.category_id
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

LAST_ACTION = text(
    """
    SELECT action_id, category_id, points, created_at FROM score_transactions
    WHERE user_id = :user AND kind = ANY(CAST(:completed AS text[])) AND action_id IS NOT NULL
    ORDER BY seq DESC LIMIT 1
    """
)


async def read_user(connection: AsyncConnection, user_id: UUID) -> tuple[Profile, bool] | None:
    """Who a user is, and whether they are hidden; None for one who does not exist or was deleted."""
    row = (await connection.execute(USER, {"user": user_id})).one_or_none()
    if row is None:
        return None
    return Profile(user_id, row.username, row.avatar_url, row.created_at), row.hidden


async def read_totals(connection: AsyncConnection, user_id: UUID) -> list[CategoryTotals]:
    """What a user did in each category with a score, in order of the category's id."""
    rows = await connection.execute(TOTALS, {"user": user_id, "paid": [kind.value for kind in PAID]})
    return [CategoryTotals(row.category_id, row.score, row.actions, int(row.points), row.best) for row in rows]


async def read_last_action(connection: AsyncConnection, user_id: UUID) -> CompletedAction | None:
    """The action that a user completed last."""
    completed = {"user": user_id, "completed": [kind.value for kind in COMPLETED]}
    row = (await connection.execute(LAST_ACTION, completed)).one_or_none()
    return None if row is None else CompletedAction(row.action_id, row.category_id, row.points, row.created_at)
