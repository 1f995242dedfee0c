"""Statements about action tokens: issue many at a time, and count the open ones."""

from __future__ import annotations

from sqlalchemy import text

# Arrays stand in a SELECT of their own, so that one plan serves batches of all sizes: see `STORE_POSTINGS`.
LOCK_USERS = text(
    """
    SELECT id FROM users WHERE id = ANY(CAST((SELECT CAST(:users AS uuid[])) AS uuid[]))
    ORDER BY id FOR NO KEY UPDATE
    """
)

# With the users locked, the count and the insert cannot be interleaved with another issue to the same user.
INSERT_TOKENS = text(
    """
    WITH requested AS (
        SELECT * FROM unnest(
            (SELECT CAST(:hashes AS bytea[])), CAST(:users AS uuid[]), CAST(:actions AS text[]),
            CAST(:points AS bigint[]), CAST(:issued AS timestamptz[]), CAST(:expires AS timestamptz[]),
            CAST(:attributes AS jsonb[])
        ) AS w(token_hash, user_id, action_id, points, issued_at, expires_at, attributes)
    ), inserted AS (
        INSERT INTO action_tokens (token_hash, user_id, action_id, points, issued_at, expires_at, attributes)
        SELECT w.* FROM requested w
        WHERE (
            SELECT count(*) FROM action_tokens t
            WHERE t.user_id = w.user_id AND t.used_at IS NULL AND t.expires_at > w.issued_at
        ) < :max_open
        RETURNING token_hash
    )
    SELECT w.user_id, w.issued_at, i.token_hash IS NOT NULL AS issued, CASE WHEN i.token_hash IS NULL THEN (
        SELECT min(t.expires_at) FROM action_tokens t
        WHERE t.user_id = w.user_id AND t.used_at IS NULL AND t.expires_at > w.issued_at
    ) END AS first_to_expire
    FROM requested w LEFT JOIN inserted i USING (token_hash)
    """
)

COUNT_OPEN_TOKENS = text(
    "SELECT count(*) FROM action_tokens WHERE user_id = :user AND used_at IS NULL AND expires_at > :now"
)
