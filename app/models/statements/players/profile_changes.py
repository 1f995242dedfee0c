"""The statements about changed profiles that are still to be announced once more."""

from __future__ import annotations

from sqlalchemy import text

# A later transaction may have begun earlier: a change that waits for its announcement only gets newer.
RECORD_CHANGE = text(
    """
    INSERT INTO profile_changes AS c (user_id) VALUES (:user)
    ON CONFLICT (user_id) DO UPDATE SET changed_at = greatest(c.changed_at, excluded.changed_at)
    """
)
SELECT_CHANGES = text(
    """
    SELECT user_id, changed_at FROM profile_changes
    WHERE changed_at < now() - make_interval(secs => :delay) ORDER BY changed_at, user_id LIMIT :batch_size
    """
)
# A profile that has changed again meanwhile keeps its row.
DELETE_CHANGES = text(
    """
    DELETE FROM profile_changes c
    USING unnest(CAST(:users AS uuid[]), CAST(:times AS timestamptz[])) AS g(user_id, changed_at)
    WHERE c.user_id = g.user_id AND c.changed_at = g.changed_at
    """
)
