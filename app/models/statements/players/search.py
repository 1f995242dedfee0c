"""The statement that finds players by the beginning of their names."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.users import Profile

# `name_for_search` is a function of the database, without accents and in lower case. The index on it is compared by
# bytes, and the largest character ends the range of all names with a prefix.
SEARCH_NAMES = text(
    """
    SELECT id, username, avatar_url, created_at FROM users
    WHERE hidden_at IS NULL AND deleted_at IS NULL AND name_for_search(CAST(:prefix AS text)) <> ''
      AND name_for_search(username) ~>=~ name_for_search(CAST(:prefix AS text))
      AND name_for_search(username) ~<~ (name_for_search(CAST(:prefix AS text)) || chr(1114111))
    ORDER BY name_for_search(username) USING ~<~, id LIMIT :limit
    """
)


async def search_names(connection: AsyncConnection, prefix: str, limit: int) -> Sequence[Profile]:
    """Return the first players in order of name whose names begin with `prefix`, without hidden and deleted ones."""
    rows = await connection.execute(SEARCH_NAMES, {"prefix": prefix, "limit": limit})
    return [Profile(row.id, row.username, row.avatar_url, row.created_at) for row in rows]
