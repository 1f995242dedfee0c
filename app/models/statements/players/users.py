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

UPSERT_USER = text(
    """
    INSERT INTO users AS u (id, username, claimed_username, avatar_url)
    VALUES (:id, :username, :claimed, :avatar_url)
    ON CONFLICT (id) DO UPDATE SET
        username = excluded.username, claimed_username = excluded.claimed_username, avatar_url = excluded.avatar_url
    WHERE u.deleted_at IS NULL
    RETURNING username, avatar_url, created_at, hidden_at IS NOT NULL AS hidden
    """
)

# A name that another user has, in the table or in the same batch, gets a suffix made from the user's id.
INSERT_USERS = text(
    """
    INSERT INTO users (id, username, claimed_username, avatar_url)
    SELECT n.id,
           CASE WHEN row_number() OVER (PARTITION BY n.username ORDER BY n.ord) > 1
                     OR EXISTS (SELECT FROM users o WHERE o.username = n.username)
                THEN left(n.username, 50) || '-' || left(replace(n.id::text, '-', ''), 9) ELSE n.username END,
           n.username, n.avatar_url
    FROM unnest(CAST(:ids AS uuid[]), CAST(:usernames AS text[]), CAST(:avatars AS text[]))
         WITH ORDINALITY AS n(id, username, avatar_url, ord)
    WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = n.id)
    ORDER BY n.id
    ON CONFLICT DO NOTHING
    """
)


async def read_profiles(connection: AsyncConnection, user_ids: Collection[UUID]) -> list[Profile]:
    """Return the profiles of those `user_ids` that exist, in any order."""
    rows = await connection.execute(SELECT_PROFILES, {"users": list(user_ids)})
    return [Profile(row.id, row.username, row.avatar_url, row.created_at, row.hidden) for row in rows]
