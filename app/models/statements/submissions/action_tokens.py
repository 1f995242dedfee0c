"""The statements about action tokens: issue many at a time, count the open ones, and delete what has expired."""

from __future__ import annotations

from sqlalchemy import text

# Arrays stand in a SELECT of their own, so that one plan serves batches of all sizes: see `STORE` of `store_postings`.
LOCK_USERS = text(
    """
    SELECT id FROM users WHERE id = ANY(CAST((SELECT CAST(:users AS uuid[])) AS uuid[]))
    ORDER BY id FOR NO KEY UPDATE
    """
)

# With the users locked, the count and the insert cannot be interleaved with another issue to the same user.
INSERT = text(
    """
    WITH wanted AS (
        SELECT * FROM unnest(
            (SELECT CAST(:hashes AS bytea[])), CAST(:users AS uuid[]), CAST(:actions AS text[]), CAST(:points AS int[]),
            CAST(:issued AS timestamptz[]), CAST(:expires AS timestamptz[]), CAST(:attributes AS jsonb[])
        ) AS w(token_hash, user_id, action_id, points, issued_at, expires_at, attributes)
    ), inserted AS (
        INSERT INTO action_tokens (token_hash, user_id, action_id, points, issued_at, expires_at, attributes)
        SELECT w.* FROM wanted w
        WHERE (
            SELECT count(*) FROM action_tokens t
            WHERE t.user_id = w.user_id AND t.used_at IS NULL AND t.expires_at > w.issued_at
        ) < :most
        RETURNING token_hash
    )
    SELECT w.user_id, w.issued_at, i.token_hash IS NOT NULL AS issued, CASE WHEN i.token_hash IS NULL THEN (
        SELECT min(t.expires_at) FROM action_tokens t
        WHERE t.user_id = w.user_id AND t.used_at IS NULL AND t.expires_at > w.issued_at
    ) END AS first_to_expire
    FROM wanted w LEFT JOIN inserted i USING (token_hash)
    """
)

COUNT_OPEN = text("SELECT count(*) FROM action_tokens WHERE user_id = :user AND used_at IS NULL AND expires_at > :now")

DELETE_EXPIRED = text("DELETE FROM action_tokens WHERE expires_at < :before")
