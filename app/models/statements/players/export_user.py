"""The export of all data of one user, as JSON made by PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MAX_EXPORTED_TRANSACTIONS = 10_000
"""Maximum transactions of an export; the newest ones are exported."""

EXPORT_USER = text(
    """
    SELECT jsonb_build_object(
        'user', (
            SELECT jsonb_build_object('id', u.id, 'username', u.username, 'avatarUrl', u.avatar_url,
                                      'createdAt', u.created_at, 'hiddenAt', u.hidden_at)
            FROM users u WHERE u.id = :user),
        'scores', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'category', s.category_id, 'period', s.period, 'startsOn', s.window_start, 'score', s.score,
                'reachedAt', s.reached_at) ORDER BY s.category_id, s.period, s.window_start), '[]')
            FROM scores s WHERE s.user_id = :user),
        'transactionCount', (SELECT count(*) FROM score_transactions t WHERE t.user_id = :user),
        'transactions', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', t.id, 'kind', t.kind, 'category', t.category_id, 'action', t.action_id, 'points', t.points,
                'delta', t.delta, 'score', t.score, 'reason', t.reason, 'address', o.address,
                'userAgent', o.user_agent, 'createdAt', t.created_at) ORDER BY t.seq DESC), '[]')
            FROM (
                SELECT * FROM score_transactions WHERE user_id = :user ORDER BY seq DESC LIMIT :most
            ) t LEFT JOIN transaction_origins o ON o.transaction_id = t.id AND o.created_at = t.created_at),
        'actionTokens', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'action', k.action_id, 'points', k.points, 'issuedAt', k.issued_at, 'expiresAt', k.expires_at,
                'usedAt', k.used_at, 'metadata', k.attributes) ORDER BY k.issued_at), '[]')
            FROM action_tokens k WHERE k.user_id = :user),
        'flags', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', f.id, 'verdict', f.verdict, 'status', f.status, 'points', f.points, 'createdAt', f.created_at,
                'decidedAt', f.decided_at, 'reason', f.reason) ORDER BY f.id), '[]')
            FROM flags f WHERE f.user_id = :user),
        'entryMetadata', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'category', m.category_id, 'createdAt', m.reached_at, 'metadata', m.content)
                ORDER BY m.reached_at DESC, m.category_id, m.period), '[]')
            FROM (
                SELECT * FROM entry_metadata WHERE user_id = :user ORDER BY reached_at DESC LIMIT :most
            ) m),
        'milestones', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'category', m.category_id, 'kind', m.kind, 'threshold', nullif(m.threshold, 0),
                'reachedAt', m.reached_at) ORDER BY m.reached_at), '[]')
            FROM milestones m WHERE m.user_id = :user)
    )
    """
)


async def export_user(connection: AsyncConnection, user_id: UUID) -> dict[str, Any]:
    """Return a user's profile, scores, newest transactions, action tokens, flags, metadata and milestones."""
    values = {"user": user_id, "most": MAX_EXPORTED_TRANSACTIONS}
    content: dict[str, Any] = (await connection.execute(EXPORT_USER, values)).scalar_one()
    return content
