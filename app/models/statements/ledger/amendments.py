"""The statements behind a moderator's decisions. All of them run while the user's row is locked."""

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

LOCK = text(
    """
    SELECT username, avatar_url, created_at, hidden_at IS NOT NULL AS hidden, ledger_seq, ledger_hash
    FROM users WHERE id = :user AND deleted_at IS NULL FOR NO KEY UPDATE
    """
)

_PAST = "SELECT id, user_id, category_id, kind, points, delta, created_at, request_key FROM score_transactions"
TRANSACTION = text(f"{_PAST} WHERE id = :id")
CHAIN = text(f"{_PAST} WHERE user_id = :user AND category_id = :category ORDER BY seq")
HAS_REQUEST = text("SELECT EXISTS (SELECT 1 FROM score_transactions WHERE request_key = :key)")

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
# The id is all that is left of the name, so that it can never meet a name that somebody chose.
FORGET = text(
    """
    UPDATE users SET username = 'deleted-' || id, claimed_username = 'deleted', avatar_url = NULL,
                     deleted_at = :now, hidden_at = coalesce(hidden_at, :now)
    WHERE id = :user RETURNING username, created_at
    """
)
# Used tokens stay until they expire, as those of anybody: the ledger speaks of them.
FORGET_TOKENS = text("DELETE FROM action_tokens WHERE user_id = :user AND used_at IS NULL")
FORGET_METADATA = text("UPDATE action_tokens SET attributes = NULL WHERE user_id = :user AND attributes IS NOT NULL")
FORGET_MILESTONES = text("DELETE FROM milestones WHERE user_id = :user")
FORGET_SESSIONS = text("DELETE FROM signing_sessions WHERE user_id = :user")


async def lock(connection: AsyncConnection, user_id: UUID) -> Account | None:
    """The account of a user, without scores, and from now on nobody else changes it. None for nobody."""
    row = (await connection.execute(LOCK, {"user": user_id})).one_or_none()
    if row is None:
        return None
    profile = Profile(user_id, row.username, row.avatar_url, row.created_at)
    return Account(profile, Head(row.ledger_seq, row.ledger_hash), hidden=row.hidden)


async def find(connection: AsyncConnection, transaction_id: UUID) -> PriorTransaction | None:
    """A transaction of anybody."""
    row = (await connection.execute(TRANSACTION, {"id": transaction_id})).one_or_none()
    return None if row is None else _past(row)


async def chain(connection: AsyncConnection, user_id: UUID, category_id: str) -> list[PriorTransaction]:
    """All of a user's transactions in a category, in order."""
    rows = await connection.execute(CHAIN, {"user": user_id, "category": category_id})
    return [_past(row) for row in rows]


async def has_request(connection: AsyncConnection, key: str) -> bool:
    """Whether a transaction bears that request key."""
    return bool((await connection.execute(HAS_REQUEST, {"key": key})).scalar_one())


async def totals(connection: AsyncConnection, user_id: UUID) -> dict[str, int]:
    """A user's all-time score in every category that has one."""
    rows = await connection.execute(TOTALS, {"user": user_id})
    return {row.category_id: row.score for row in rows}


def standings_of(user_id: UUID, rows: Any) -> list[ScoreChange]:
    """The rows that a statement about all of a user's scores returned."""
    return [
        ScoreChange(
            Board(row.category_id, Window(Period(row.period), row.window_start)),
            user_id,
            ScoreRow(row.score, row.reached_at, row.revision, row.hidden),
            row.sort_key,
        )
        for row in rows
    ]


def _past(row: Row[Any]) -> PriorTransaction:
    return PriorTransaction(
        row.id, row.user_id, row.category_id, Kind(row.kind), row.points, row.delta, row.created_at, row.request_key
    )
