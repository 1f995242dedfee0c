"""Statements about signing sessions: open one, and find a valid one."""

from __future__ import annotations

from sqlalchemy import text

# The oldest are deleted: a client that lost its key must be able to open another session.
OPEN_SESSION = text(
    """
    WITH excess AS (
        DELETE FROM signing_sessions WHERE key_id IN (
            SELECT key_id FROM signing_sessions WHERE user_id = :user ORDER BY created_at DESC OFFSET :max_sessions - 1
        )
    )
    INSERT INTO signing_sessions (key_id, user_id, created_at, expires_at) VALUES (:key_id, :user, :now, :expires_at)
    """
)
FIND_SESSION = text(
    "SELECT created_at FROM signing_sessions WHERE key_id = :key_id AND user_id = :user AND expires_at > :now"
)
