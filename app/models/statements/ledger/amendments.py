"""Statements of moderators' decisions. All of them run while the user's row is locked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, Window
from app.domain.ledger.corrections import PriorTransaction
from app.domain.ledger.posting import Account, ScoreChange
from app.domain.ledger.scoring import ScoreRow
from app.domain.ledger.transactions import Head, Kind
from app.domain.users import Profile
from app.models.tables.scores import UNRANKED_ZERO

LOCK_ACCOUNT = text(
    """
    SELECT username, avatar_url, created_at, hidden_at IS NOT NULL AS hidden, ledger_seq, ledger_hash
    FROM users WHERE id = :user AND deleted_at IS NULL FOR NO KEY UPDATE
    """
)

_TRANSACTIONS = "SELECT id, user_id, category_id, kind, points, delta, created_at, request_key FROM score_transactions"
TRANSACTION = text(f"{_TRANSACTIONS} WHERE id = :id")
CHAIN = text(f"{_TRANSACTIONS} WHERE user_id = :user AND category_id = :category ORDER BY seq")
HAS_REQUEST = text("SELECT EXISTS (SELECT 1 FROM request_keys WHERE request_key = :key)")

HIDE = text("UPDATE users SET hidden_at = :hidden_at WHERE id = :user")

HIDE_SCORES = text(
    f"""
    UPDATE scores s SET hidden = :hidden OR {UNRANKED_ZERO}, revision = revision + 1 WHERE user_id = :user
    RETURNING category_id, period, window_start, score, sort_key, reached_at, revision, hidden
    """  # noqa: S608 - the piece is a constant
)
CLEAR_SCORES = text(
    """
    UPDATE scores SET score = 0, sort_key = 0, hidden = true, revision = revision + 1 WHERE user_id = :user
    RETURNING category_id, period, window_start, score, sort_key, reached_at, revision, hidden
    """
)

TOTALS = text(
    "SELECT category_id, score FROM scores WHERE user_id = :user AND period = 'ALL_TIME' AND score > 0 ORDER BY 1"
)
# The new name contains the id, so that it differs from every name that users can choose.
ANONYMIZE_USER = text(
    """
    UPDATE users SET username = 'deleted-' || id, claimed_username = 'deleted', username_skeleton = NULL,
                     avatar_url = NULL, deleted_at = :now, hidden_at = coalesce(hidden_at, :now)
    WHERE id = :user RETURNING username, created_at
    """
)
# Used tokens stay until they expire, like those of all users: the ledger refers to them.
DELETE_UNUSED_TOKENS = text("DELETE FROM action_tokens WHERE user_id = :user AND used_at IS NULL")
DELETE_TOKEN_METADATA = text(
    "UPDATE action_tokens SET attributes = NULL WHERE user_id = :user AND attributes IS NOT NULL"
)
# By the partition's time and id, since a year of origins of all users may be stored.
DELETE_ORIGINS = text(
    """
    DELETE FROM transaction_origins o USING score_transactions t
    WHERE t.user_id = :user AND o.created_at = t.created_at AND o.transaction_id = t.id
      AND (t.address_commitment IS NOT NULL OR t.user_agent_commitment IS NOT NULL)
    """
)
ERASE_REASONS = text(
    "UPDATE score_transactions SET reason = NULL, reason_salt = NULL WHERE user_id = :user AND reason IS NOT NULL"
)
ERASE_FLAG_REASONS = text("UPDATE flags SET reason = NULL WHERE user_id = :user AND reason IS NOT NULL")
DELETE_MILESTONES = text("DELETE FROM milestones WHERE user_id = :user")
DELETE_SIGNING_SESSIONS = text("DELETE FROM signing_sessions WHERE user_id = :user")


async def lock_account(connection: AsyncConnection, user_id: UUID) -> Account | None:
    """Lock a user until the end of the transaction, and return the account without scores; None for no such user."""
    row = (await connection.execute(LOCK_ACCOUNT, {"user": user_id})).one_or_none()
    if row is None:
        return None
    profile = Profile(user_id, row.username, row.avatar_url, row.created_at, row.hidden)
    return Account(profile, Head(row.ledger_seq, row.ledger_hash), hidden=row.hidden)


async def find(connection: AsyncConnection, transaction_id: UUID) -> PriorTransaction | None:
    """Return a transaction of any user, or None."""
    row = (await connection.execute(TRANSACTION, {"id": transaction_id})).one_or_none()
    return None if row is None else _prior_transaction(row)


async def chain(connection: AsyncConnection, user_id: UUID, category_id: str) -> list[PriorTransaction]:
    """Return all transactions of a user in a category, in order."""
    rows = await connection.execute(CHAIN, {"user": user_id, "category": category_id})
    return [_prior_transaction(row) for row in rows]


async def has_request(connection: AsyncConnection, key: str) -> bool:
    """Return whether there is a transaction with this request key."""
    return bool((await connection.execute(HAS_REQUEST, {"key": key})).scalar_one())


async def totals(connection: AsyncConnection, user_id: UUID) -> dict[str, int]:
    """Return the all-time scores of a user by category, without those of 0."""
    rows = await connection.execute(TOTALS, {"user": user_id})
    return {row.category_id: row.score for row in rows}


def score_changes_of(user_id: UUID, rows: Any) -> list[ScoreChange]:
    """Return the changes that a statement about all scores of a user has made, from the rows that it returned."""
    return [
        ScoreChange(
            Board(row.category_id, Window(Period(row.period), row.window_start)),
            user_id,
            ScoreRow(row.score, row.reached_at, row.revision, row.hidden),
            row.sort_key,
        )
        for row in rows
    ]


def _prior_transaction(row: Row[Any]) -> PriorTransaction:
    return PriorTransaction(
        row.id, row.user_id, row.category_id, Kind(row.kind), row.points, row.delta, row.created_at, row.request_key
    )
