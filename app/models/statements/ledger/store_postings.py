"""Statements of the ledger: store postings, many at a time, and find the receipts of earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.activity import Suspicion
from app.domain.ledger.idempotency import is_permanent
from app.domain.ledger.posting import Posting
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import PLAYED, Kind
from app.domain.users import Profile
from app.models.statements.events.committed_events import INSERT, NewEvents, columns_of
from app.models.statements.executor import Executor
from app.models.tables.entry_metadata import period_key

CHAIN_MOVED = "LB001"
"""The SQLSTATE with which `STORE_POSTINGS` fails when what it would write was computed from an old state."""

# The head of each user's chain is moved only from where the posting saw it; the rows are locked in order of id, so
# that two batches with users in common queue up instead of deadlocking. Where the counts differ from what was asked
# for, somebody else was faster: then the statement raises an error, which takes everything back, also without a
# transaction around it, so that the common case is one round trip.
#
# Each step unpacks what it needs of the arrays: the plan, which is made without knowing how long they are, would search
# through a common unpacking from its beginning for every row. That it does not know is on purpose: one array of each
# unpacking stands in a SELECT of its own, which hides its length. Else a plan made for a single posting looks cheaper
# than one for all lengths, and PostgreSQL plans every small batch anew, which costs more than to carry it out.
_STORE = f"""
    WITH locked AS (
        SELECT u.id, e.seq, e.hash
        FROM unnest(
            (SELECT CAST(:user_id AS uuid[])), CAST(:seq AS bigint[]), CAST(:previous_hash AS bytea[]),
            CAST(:hash AS bytea[])
        ) AS e(user_id, seq, previous_hash, hash)
        JOIN users u ON u.id = e.user_id AND u.ledger_seq = e.seq - 1 AND u.ledger_hash = e.previous_hash
        ORDER BY u.id FOR NO KEY UPDATE OF u
    ), moved AS (
        UPDATE users u SET ledger_seq = l.seq, ledger_hash = l.hash FROM locked l WHERE u.id = l.id
        RETURNING 1
    ), consumed AS (
        UPDATE action_tokens t SET used_at = e.created_at, transaction_id = e.id
        FROM unnest(
            (SELECT CAST(:token_hash AS bytea[])), CAST(:user_id AS uuid[]), CAST(:created_at AS timestamptz[]),
            CAST(:id AS uuid[])
        ) AS e(token_hash, user_id, created_at, id)
        WHERE t.token_hash = e.token_hash AND t.user_id = e.user_id AND t.used_at IS NULL
        RETURNING 1
    ), written AS (
        INSERT INTO score_transactions (
            id, user_id, seq, category_id, action_id, kind, points, delta, score, token_hash, request_key,
            request_hash, actor_id, actor_role, address_commitment, user_agent_commitment, reason_commitment,
            created_at, previous_hash, hash, reason, reason_salt
        )
        SELECT * FROM unnest(
            (SELECT CAST(:id AS uuid[])), CAST(:user_id AS uuid[]), CAST(:seq AS bigint[]),
            CAST(:category_id AS text[]), CAST(:action_id AS text[]), CAST(:kind AS text[]), CAST(:points AS bigint[]),
            CAST(:delta AS bigint[]), CAST(:score AS bigint[]), CAST(:token_hash AS bytea[]),
            CAST(:request_key AS text[]),
            CAST(:request_hash AS bytea[]), CAST(:actor_id AS uuid[]), CAST(:actor_role AS text[]),
            CAST(:address_commitment AS text[]), CAST(:user_agent_commitment AS text[]),
            CAST(:reason_commitment AS text[]), CAST(:created_at AS timestamptz[]), CAST(:previous_hash AS bytea[]),
            CAST(:hash AS bytea[]), CAST(:reason AS text[]), CAST(:reason_salt AS bytea[])
        )
    ), located AS (
        INSERT INTO transaction_origins (created_at, transaction_id, user_id, played, salt, address, user_agent)
        SELECT * FROM unnest(
            (SELECT CAST(:o_created_at AS timestamptz[])), CAST(:o_id AS uuid[]), CAST(:o_user AS uuid[]),
            CAST(:o_played AS boolean[]), CAST(:o_salt AS bytea[]), CAST(:o_address AS text[]),
            CAST(:o_user_agent AS text[])
        )
    ), described AS (
        INSERT INTO entry_metadata (user_id, category_id, reached_at, period, content)
        SELECT * FROM unnest(
            (SELECT CAST(:m_user AS uuid[])), CAST(:m_category AS text[]), CAST(:m_reached_at AS timestamptz[]),
            CAST(:m_period AS text[]), CAST(:m_text AS text[])
        )
        ON CONFLICT DO NOTHING
    ), keyed AS (
        INSERT INTO request_keys (request_key, transaction_id, created_at, permanent)
        SELECT * FROM unnest(
            (SELECT CAST(:k_key AS text[])), CAST(:k_id AS uuid[]), CAST(:k_created_at AS timestamptz[]),
            CAST(:k_permanent AS boolean[])
        )
    ), scored AS (
        INSERT INTO scores AS old (
            category_id, period, window_start, user_id, score, sort_key, reached_at, revision, hidden
        )
        SELECT * FROM unnest(
            (SELECT CAST(:s_category AS text[])), CAST(:s_period AS text[]), CAST(:s_start AS date[]),
            CAST(:s_user AS uuid[]),
            CAST(:s_score AS bigint[]), CAST(:s_sort_key AS bigint[]), CAST(:s_reached_at AS timestamptz[]),
            CAST(:s_revision AS bigint[]), CAST(:s_hidden AS boolean[])
        )
        ON CONFLICT (user_id, category_id, period, window_start) DO UPDATE SET
            score = excluded.score, sort_key = excluded.sort_key, reached_at = excluded.reached_at,
            revision = excluded.revision, hidden = excluded.hidden
        WHERE old.revision = excluded.revision - 1
        RETURNING 1
    ){{more}}
    SELECT leaderboard_raise_if(
        (SELECT count(*) FROM moved) <> :moved OR (SELECT count(*) FROM consumed) <> :consumed
            OR (SELECT count(*) FROM scored) <> :scored,
        '{CHAIN_MOVED}', 'a chain, a token or a score changed after the posting was computed from it'
    )
    """  # noqa: S608 - the piece is a constant
STORE_POSTINGS = text(_STORE.format(more=""))

# Events are inserted once the rows of their users are locked, so that the ids of a user's events have the order of the
# user's transactions.
STORE_POSTINGS_AND_EVENTS = text(
    _STORE.format(more=f", recorded AS ({INSERT} WHERE (SELECT count(*) FROM moved) = :moved)")  # noqa: S608 - constant
)

INSERT_FLAG = text(
    """
    INSERT INTO flags (id, user_id, category_id, verdict, rules, points, created_at, action_id)
    VALUES (:id, :user_id, :category_id, :verdict, CAST(:rules AS text[]), :points, :created_at, :action_id)
    ON CONFLICT (user_id) WHERE verdict = 'FLAG' AND status = 'OPEN' DO NOTHING
    """
)

SELECT_FLAG_IDS = text("SELECT id FROM flags WHERE id = ANY(CAST(:ids AS uuid[]))")

LOCK_USER = text("SELECT FROM users WHERE id = :user FOR NO KEY UPDATE")

# The times of the transactions are known, so that one partition is read.
_RECEIPT = """
    SELECT t.id, t.user_id, t.category_id, t.kind, t.score, t.delta, t.request_hash,
           u.username, u.avatar_url, u.created_at, u.hidden_at IS NOT NULL AND u.deleted_at IS NULL AS hidden
    FROM {record} JOIN users u ON u.id = t.user_id
    WHERE {key} = :value
"""
RECEIPT_BY_TOKEN = text(
    _RECEIPT.format(
        record="action_tokens k JOIN score_transactions t ON t.id = k.transaction_id AND t.created_at = k.used_at",
        key="k.token_hash",
    )
)
RECEIPT_BY_REQUEST = text(
    _RECEIPT.format(
        record="request_keys k JOIN score_transactions t ON t.id = k.transaction_id AND t.created_at = k.created_at",
        key="k.request_key",
    )
)


class ChainMoved(Exception):
    """The optimistic lock of a posting failed: its account has changed since. Load and judge again."""


async def lock_user(connection: AsyncConnection, user_id: UUID) -> None:
    """Lock a user: other writers of this user's ledger wait for the end of the transaction."""
    await connection.execute(LOCK_USER, {"user": user_id})


async def store(connection: Executor, postings: Sequence[Posting], events: NewEvents = ()) -> None:
    """Store `postings`, at most one per user, with their `events`: all of them or none.

    This is one statement, which needs no transaction, unless a posting is suspicious: see `is_one_statement`.

    Raises:
        ChainMoved: A chain has moved, or a token was consumed meanwhile.
        IntegrityError: Another transaction has just taken a token, a request key or a place in a chain.
    """
    expected = {
        "moved": len(postings),
        "consumed": sum(posting.transaction.token_hash is not None for posting in postings),
        "scored": sum(len(posting.score_changes) for posting in postings),
    }
    parameters = _columns(postings) | expected
    try:
        if events:
            await connection.execute(STORE_POSTINGS_AND_EVENTS, parameters | columns_of(events))
        else:
            await connection.execute(STORE_POSTINGS, parameters)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == CHAIN_MOVED:
            raise ChainMoved from None
        raise
    if flags := [_flag(posting, posting.suspicion) for posting in postings if posting.suspicion]:
        await connection.execute(INSERT_FLAG, flags)


async def new_flags(connection: Executor, postings: Sequence[Posting]) -> set[UUID]:
    """Return the ids of those suspicious postings, just stored, that led to a flag: a player has one open flag."""
    ids = [posting.transaction.id for posting in postings if posting.suspicion]
    return {row.id for row in await connection.execute(SELECT_FLAG_IDS, {"ids": ids})}


def is_one_statement(postings: Sequence[Posting]) -> bool:
    """Return whether `store` is atomic by itself."""
    return all(posting.suspicion is None for posting in postings)


async def receipt_by_token(connection: AsyncConnection, token_hash: bytes) -> Receipt | None:
    """Return the receipt of the transaction that consumed a token, or None."""
    found = await _receipt(connection, RECEIPT_BY_TOKEN, token_hash)
    return found[0] if found else None


async def receipt_by_request(connection: AsyncConnection, request_key: str) -> tuple[Receipt, bytes | None] | None:
    """Return the receipt of the transaction with a request key, and the hash of the request's content, or None."""
    return await _receipt(connection, RECEIPT_BY_REQUEST, request_key)


async def _receipt(
    connection: AsyncConnection, statement: TextClause, value: bytes | str
) -> tuple[Receipt, bytes | None] | None:
    row = (await connection.execute(statement, {"value": value})).one_or_none()
    if row is None:
        return None
    profile = Profile(row.user_id, row.username, row.avatar_url, row.created_at, row.hidden)
    held = row.kind == Kind.HELD
    receipt = Receipt(row.id, profile, row.category_id or "", row.score - row.delta, row.score, held=held)
    return receipt, row.request_hash


def _flag(posting: Posting, suspicion: Suspicion) -> dict[str, Any]:
    entry = posting.transaction
    return {
        "id": entry.id,
        "user_id": entry.user_id,
        "category_id": entry.category_id,
        "verdict": suspicion.verdict.name,
        "rules": list(suspicion.rules),
        "points": entry.points,
        "created_at": entry.created_at,
        "action_id": entry.action_id,
    }


def _columns(postings: Sequence[Posting]) -> dict[str, Any]:
    entries = [posting.transaction for posting in postings]
    rows = [change for posting in postings for change in posting.score_changes]
    origins = [posting for posting in postings if posting.details.has_origin]
    described = [(posting.transaction, row) for posting in postings for row in posting.metadata_rows]
    keyed = [entry for entry in entries if entry.request_key is not None]
    plain = (
        "id", "user_id", "seq", "category_id", "action_id", "points", "delta", "score", "token_hash", "request_key",
        "request_hash", "created_at", "previous_hash", "hash",
    )  # fmt: skip
    columns: dict[str, Any] = {name: [getattr(entry, name) for entry in entries] for name in plain}
    return columns | {
        "kind": [entry.kind.value for entry in entries],
        "actor_id": [entry.actor.id for entry in entries],
        "actor_role": [entry.actor.role for entry in entries],
        "address_commitment": [entry.actor.address for entry in entries],
        "user_agent_commitment": [entry.actor.user_agent for entry in entries],
        "reason_commitment": [entry.reason for entry in entries],
        "reason": [posting.details.reason for posting in postings],
        "reason_salt": [posting.details.reason_salt for posting in postings],
        "o_created_at": [posting.transaction.created_at for posting in origins],
        "o_id": [posting.transaction.id for posting in origins],
        "o_user": [posting.transaction.user_id for posting in origins],
        "o_played": [posting.transaction.kind in PLAYED for posting in origins],
        "o_salt": [posting.details.origin_salt for posting in origins],
        "o_address": [posting.details.address for posting in origins],
        "o_user_agent": [posting.details.user_agent for posting in origins],
        "m_user": [entry.user_id for entry, _ in described],
        "m_category": [entry.category_id for entry, _ in described],
        "m_reached_at": [row.reached_at for _, row in described],
        "m_period": [period_key(row.period) for _, row in described],
        "m_text": [row.text for _, row in described],
        "k_key": [entry.request_key for entry in keyed],
        "k_id": [entry.id for entry in keyed],
        "k_created_at": [entry.created_at for entry in keyed],
        "k_permanent": [is_permanent(entry.request_key or "") for entry in keyed],
        "s_category": [change.board.category for change in rows],
        "s_period": [change.board.window.period.value for change in rows],
        "s_start": [change.board.window.start for change in rows],
        "s_user": [change.user_id for change in rows],
        "s_score": [change.row.score for change in rows],
        "s_sort_key": [change.sort_key for change in rows],
        "s_reached_at": [change.row.reached_at for change in rows],
        "s_revision": [change.row.revision for change in rows],
        "s_hidden": [change.row.hidden for change in rows],
    }
