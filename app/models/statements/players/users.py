"""The statements about users: read profiles, create or rename one, insert many."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.users import Profile

SELECT_CLAIMED_PROFILES = text(
    "SELECT id, claimed_username, avatar_url FROM users WHERE id = ANY(CAST(:users AS uuid[]))"
)

SELECT_PROFILES = text(
    "SELECT id, username, avatar_url, created_at, hidden_at IS NOT NULL AND deleted_at IS NULL AS hidden "
    "FROM users WHERE id = ANY(CAST(:users AS uuid[]))"
)

# In a row that was inserted and not updated, `xmax` is 0.
UPSERT_USER = text(
    """
    INSERT INTO users AS u (id, username, username_skeleton, claimed_username, avatar_url)
    VALUES (:id, :username, :skeleton, :claimed, :avatar_url)
    ON CONFLICT (id) DO UPDATE SET
        username = excluded.username, username_skeleton = excluded.username_skeleton,
        claimed_username = excluded.claimed_username, avatar_url = excluded.avatar_url
    WHERE u.deleted_at IS NULL
    RETURNING username, avatar_url, created_at, hidden_at IS NOT NULL AS hidden, xmax <> 0 AS existed
    """
)

# A name that another user has, or that looks like one in the table or in the same batch, gets a suffix made from the
# user's id. Such a name needs no skeleton of its own: its owner gets one with the next access token.
INSERT_USERS = text(
    """
    INSERT INTO users (id, username, username_skeleton, claimed_username, avatar_url)
    SELECT n.id,
           CASE WHEN n.taken THEN left(n.username, 50) || '-' || left(replace(n.id::text, '-', ''), 9)
                ELSE n.username END,
           CASE WHEN n.taken THEN NULL ELSE n.skeleton END,
           n.username, n.avatar_url
    FROM (
        SELECT g.*, row_number() OVER (PARTITION BY g.skeleton ORDER BY g.ord) > 1
                    OR EXISTS (SELECT FROM users o WHERE o.username = g.username)
                    OR EXISTS (SELECT FROM users o WHERE o.username_skeleton = g.skeleton) AS taken
        FROM unnest(CAST(:ids AS uuid[]), CAST(:usernames AS text[]), CAST(:skeletons AS text[]),
                    CAST(:avatars AS text[])) WITH ORDINALITY AS g(id, username, skeleton, avatar_url, ord)
    ) n
    WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = n.id)
    ORDER BY n.id
    ON CONFLICT DO NOTHING
    """
)


async def read_profiles(connection: AsyncConnection, user_ids: Collection[UUID]) -> list[Profile]:
    """Return the profiles of those `user_ids` that exist, in any order."""
    rows = await connection.execute(SELECT_PROFILES, {"users": list(user_ids)})
    return [Profile(row.id, row.username, row.avatar_url, row.created_at, row.hidden) for row in rows]
