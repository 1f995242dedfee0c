"""The statements that award milestones, and read those of a user or of the leaders."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.periods import ALL_TIME_START
from app.domain.players.milestones import TOP_TEN, Milestone, MilestoneKind, kinds_of_rank
from app.domain.users import Profile

# Rows are inserted in the order of the key, so that two batches with equal milestones wait instead of deadlocking.
INSERT_MILESTONES = text(
    """
    INSERT INTO milestones (user_id, category_id, kind, threshold, reached_at)
    SELECT * FROM unnest(
        CAST(:users AS uuid[]), CAST(:categories AS text[]), CAST(:kinds AS text[]), CAST(:thresholds AS int[]),
        CAST(:times AS timestamptz[])
    ) AS m(user_id, category_id, kind, threshold, reached_at)
    ORDER BY 1, 2, 3, 4
    ON CONFLICT DO NOTHING
    RETURNING user_id, category_id, kind, threshold
    """
)

SELECT_MILESTONES = text(
    "SELECT category_id, kind, threshold, reached_at FROM milestones WHERE user_id = :user "
    "ORDER BY reached_at, category_id, kind, threshold"
)

SELECT_LEADERS = text(
    """
    SELECT c.id AS category_id, l.rank, l.reached_at, u.id, u.username, u.avatar_url, u.created_at
    FROM categories c
    CROSS JOIN LATERAL (
        SELECT user_id, reached_at, row_number() OVER (ORDER BY sort_key, reached_at, user_id) AS rank FROM scores
        WHERE category_id = c.id AND period = 'ALL_TIME' AND window_start = :start AND NOT hidden
        ORDER BY sort_key, reached_at, user_id LIMIT :top
    ) l
    JOIN users u ON u.id = l.user_id
    """
)


async def award(connection: AsyncConnection, milestones: Sequence[Milestone]) -> list[Milestone]:
    """Insert `milestones`; return those that did not exist yet."""
    rows = await connection.execute(
        INSERT_MILESTONES,
        {
            "users": [milestone.user.id for milestone in milestones],
            "categories": [milestone.category for milestone in milestones],
            "kinds": [milestone.kind.value for milestone in milestones],
            "thresholds": [milestone.threshold or 0 for milestone in milestones],
            "times": [milestone.reached_at for milestone in milestones],
        },
    )
    new = {tuple(row) for row in rows}
    return [one for one in milestones if (one.user.id, one.category, one.kind.value, one.threshold or 0) in new]


async def milestones_of(connection: AsyncConnection, user: Profile) -> list[Milestone]:
    """Return the milestones of a user, the oldest first."""
    rows = await connection.execute(SELECT_MILESTONES, {"user": user.id})
    return [
        Milestone(user, row.category_id, MilestoneKind(row.kind), row.reached_at, row.threshold or None) for row in rows
    ]


async def milestones_of_leaders(connection: AsyncConnection) -> list[Milestone]:
    """Return the milestones of the present ranks of the first ten users of every all-time board."""
    rows = await connection.execute(SELECT_LEADERS, {"start": ALL_TIME_START, "top": TOP_TEN})
    return [
        Milestone(Profile(row.id, row.username, row.avatar_url, row.created_at), row.category_id, kind, row.reached_at)
        for row in rows
        for kind in kinds_of_rank(row.rank)
    ]
