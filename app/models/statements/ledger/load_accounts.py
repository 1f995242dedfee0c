"""Load accounts: the state that score requests are judged by, for many requests at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.domain.boards.board import Board
from app.domain.ledger.activity import Completion, History
from app.domain.ledger.posting import Account, Activity, Head, ScoreRequest, boards_for
from app.domain.ledger.scoring import ScoreRow
from app.domain.ledger.transactions import PLAYED
from app.domain.rules.fraud import is_public
from app.domain.users import Profile
from app.models.statements.executor import Executor
from app.models.statements.ledger.accounts_per_address import ACCOUNTS_ON_ADDRESS, ADDRESS_WINDOW
from app.models.tables.scores import window_key

MAX_HISTORY_AGE = timedelta(days=35)
"""How far back a player's completions matter: a bound, by which PostgreSQL reads one or two monthly partitions."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

# Every piece is bounded, and found by an index: the history of a user may be long. One array stands in a SELECT of its
# own, so that one plan serves batches of all sizes: see `app.models.statements.ledger.store_postings.STORE_POSTINGS`.
LOAD_ACCOUNTS = text(
    f"""
    SELECT u.username, u.avatar_url, u.created_at, u.hidden_at IS NOT NULL AS hidden, u.ledger_seq, u.ledger_hash,
           coalesce(a.last_at, x.last_at) AS last_at, a.today, k.user_id AS token_owner, k.used_at, h.times, h.actions,
           n.accounts,
           EXISTS (SELECT 1 FROM request_keys r WHERE r.request_key = i.request_key) AS request_used,
           EXISTS (SELECT 1 FROM flags f WHERE f.user_id = i.user_id AND f.status = 'OPEN') AS is_suspect
    FROM unnest((SELECT CAST(:users AS uuid[])), CAST(:actions AS text[]), CAST(:tokens AS bytea[]),
                CAST(:requests AS text[]), CAST(:addresses AS text[]), CAST(:played AS boolean[]),
                CAST(:since AS timestamptz[]))
         WITH ORDINALITY AS i(user_id, action_id, token_hash, request_key, address, played, since, ord)
    LEFT JOIN users u ON u.id = i.user_id AND u.deleted_at IS NULL
    LEFT JOIN action_tokens k ON k.token_hash = i.token_hash
    LEFT JOIN LATERAL (
        SELECT max(t.created_at) AS last_at, count(*) FILTER (WHERE t.created_at >= :midnight) AS today
        FROM (
            SELECT created_at FROM score_transactions
            WHERE user_id = i.user_id AND action_id = i.action_id AND created_at >= i.since
            ORDER BY created_at DESC LIMIT :max_today
        ) t
    ) a ON i.action_id IS NOT NULL
    LEFT JOIN archived_actions x ON x.user_id = i.user_id AND x.action_id = i.action_id
    LEFT JOIN LATERAL (
        SELECT array_agg(t.created_at ORDER BY t.seq DESC) AS times,
               array_agg(t.action_id ORDER BY t.seq DESC) AS actions
        FROM (
            SELECT seq, kind, created_at, action_id FROM score_transactions
            WHERE i.played AND user_id = i.user_id AND created_at >= :history_start
            ORDER BY seq DESC LIMIT :max_history
        ) t
        WHERE t.kind IN ('ACTION', 'SIGNED_ACTION', 'HELD')
    ) h ON true
    LEFT JOIN LATERAL ({ACCOUNTS_ON_ADDRESS}) n ON i.address IS NOT NULL
    ORDER BY i.ord
    """  # noqa: S608 - the piece is a constant
)

LOAD_ROWS = text(
    """
    SELECT s.category_id, s.period, s.window_start, s.user_id, s.score, s.reached_at, s.revision, s.hidden
    FROM unnest((SELECT CAST(:categories AS text[])), CAST(:periods AS text[]), CAST(:starts AS date[]),
                CAST(:users AS uuid[])) AS i(category_id, period, window_start, user_id)
    JOIN scores s USING (category_id, period, window_start, user_id)
    """
)


@dataclass(frozen=True, slots=True)
class AccountState:
    """The state that one score request depends on.

    Attributes:
        account: The user's account; None for a user that does not exist or was deleted.
        token_owner: The user that the action token was issued to; None for a token that was never issued.
        token_used: Whether the token was consumed.
        request_used: Whether there is a transaction with the request key.
    """

    account: Account | None
    token_owner: UUID | None
    token_used: bool
    request_used: bool


async def load(
    connection: Executor, requests: Sequence[ScoreRequest], now: datetime, max_history: int = 0
) -> list[AccountState]:
    """Return the state that each request is judged by, with at most `max_history` completions of a player's history.

    Heads are read before rows: `store` detects rows that are newer than their head, and older ones cannot occur.
    """
    accounts = list(await connection.execute(LOAD_ACCOUNTS, _parameters(requests, now, max_history)))
    rows = await _load_rows(connection, requests, now)
    return [
        AccountState(
            None
            if found.username is None
            else _account(request, found, rows.get((request.user_id, request.category.id), {})),
            found.token_owner,
            found.used_at is not None,
            found.request_used,
        )
        for request, found in zip(requests, accounts, strict=True)
    ]


def _parameters(requests: Sequence[ScoreRequest], now: datetime, max_history: int) -> dict[str, Any]:
    played = [max_history > 0 and request.kind in PLAYED for request in requests]
    limits = [request.action.daily_limit for request in requests if request.action and request.action.daily_limit]
    return {
        "users": [request.user_id for request in requests],
        "actions": [request.action.id if request.action else None for request in requests],
        "tokens": [request.token_hash for request in requests],
        "requests": [request.request_key for request in requests],
        "addresses": [
            request.actor.address if judged and is_public(request.actor.address) else None
            for request, judged in zip(requests, played, strict=True)
        ],
        "played": played,
        "since": [_activity_start(request, now) for request in requests],
        "history_start": now - MAX_HISTORY_AGE,
        "midnight": datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), tzinfo=UTC),
        "address_window_start": now - ADDRESS_WINDOW,
        "max_today": max(
            limits, default=1
        ),  # Enough to tell whether the day's limit is reached, and when the last was.
        "max_history": max_history,
    }


def _activity_start(request: ScoreRequest, now: datetime) -> datetime:
    """Return how far back completions of the action matter: always for one that cannot be repeated."""
    action = request.action
    if action is None or not action.repeatable:
        return BEGINNING
    return now - max(MAX_HISTORY_AGE, action.cooldown)


def _account(request: ScoreRequest, found: Any, rows: Mapping[Board, ScoreRow]) -> Account:
    completions = tuple(map(Completion, found.times or (), found.actions or ()))
    return Account(
        profile=Profile(request.user_id, found.username, found.avatar_url, found.created_at, found.hidden),
        head=Head(found.ledger_seq, found.ledger_hash),
        rows=rows,
        activity=Activity(found.last_at, found.today or 0, found.last_at is not None),
        history=History(completions, found.accounts or 0, found.is_suspect),
        hidden=found.hidden,
    )


async def _load_rows(
    connection: Executor, requests: Sequence[ScoreRequest], now: datetime
) -> Mapping[tuple[UUID, str], dict[Board, ScoreRow]]:
    wanted = [(board, request.user_id) for request in requests for board in boards_for(request.category, now)]
    boards = {(board.category, *window_key(board.window)): board for board, _ in wanted}
    answers = await connection.execute(
        LOAD_ROWS,
        {
            "categories": [board.category for board, _ in wanted],
            "periods": [board.window.period.value for board, _ in wanted],
            "starts": [board.window.start for board, _ in wanted],
            "users": [user_id for _, user_id in wanted],
        },
    )
    found: dict[tuple[UUID, str], dict[Board, ScoreRow]] = {}
    for category, period, start, user_id, *row in answers:
        found.setdefault((user_id, category), {})[boards[category, period, start]] = ScoreRow(*row)
    return found
