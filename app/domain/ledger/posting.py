"""Posting: score requests become transactions, and transactions change scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from app.domain.boards.board import Board, board_of
from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import Action, Category, Operator
from app.domain.ledger.activity import History, Suspicion
from app.domain.ledger.commitments import PersonalDetails
from app.domain.ledger.metadata import NO_METADATA, Metadata, MetadataRow
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.scoring import ScoreRow, next_score, revise, sort_key
from app.domain.ledger.transactions import Actor, Head, Kind, Transaction
from app.domain.users import Profile

__all__ = [
    "Account",
    "Activity",
    "Actor",
    "Head",
    "Kind",
    "Posting",
    "ScoreChange",
    "ScoreRequest",
    "Transaction",
    "boards_for",
    "note",
    "post",
]

Correction = Mapping[Board, int]
"""The changes of scores, by board, that a decision makes. Empty: no score changes."""

UNCHANGED: Correction = {}


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A request to change one user's score in one category, not yet checked against the user's state.

    Attributes:
        points: The award, subject to the category's operator, unless there is a `correction`. 0 for a STATED action
            whose value the verifier has not stated yet.
        started_at: The earliest time at which the action can have begun; None if that is not known.
        token_hash: Identifies the action token to consume; None if there is none.
        request_key: Identifies the request, so that a repeat is refused; None if a token does.
        request_hash: Hash of the content, by which a repeat differs from another request with the same key.
        metadata: What the game attaches to the transaction.
    """

    user_id: UUID
    category: Category
    kind: Kind
    points: int
    actor: Actor
    action: Action | None = None
    token_hash: bytes | None = None
    started_at: datetime | None = None
    request_key: str | None = None
    request_hash: bytes | None = None
    reason: str | None = None
    correction: Correction | None = None
    suspicion: Suspicion | None = None
    metadata: Metadata = NO_METADATA

    def held(self, suspicion: Suspicion) -> ScoreRequest:
        """Return the same request, recorded for a review instead of paid."""
        return replace(self, kind=Kind.HELD, correction=UNCHANGED, suspicion=suspicion)


@dataclass(frozen=True, slots=True)
class Activity:
    """A user's past completions of one action, as the rules need them."""

    last_at: datetime | None = None
    done_today: int = 0
    done_ever: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A user's state as one request needs it, all of the time at which the chain ended in `head`."""

    profile: Profile
    head: Head
    rows: Mapping[Board, ScoreRow] = field(default_factory=dict)
    activity: Activity = Activity()
    history: History = field(default_factory=History)
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """A user's new state on one board, as the board index needs it."""

    board: Board
    user_id: UUID
    row: ScoreRow
    sort_key: int


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction together with the states it leads to. It holds only while the user's chain still ends in `head`.

    `details` are the personal data that the transaction commits to.
    """

    transaction: Transaction
    head: Head
    profile: Profile
    details: PersonalDetails
    score_changes: tuple[ScoreChange, ...] = ()
    suspicion: Suspicion | None = None
    metadata_rows: tuple[MetadataRow, ...] = ()

    def receipt(self, previous_rank: int | None = None, current_rank: int | None = None) -> Receipt:
        """Return the receipt for the caller, with the ranks around the posting."""
        transaction = self.transaction
        return Receipt(
            transaction.id,
            self.profile,
            transaction.category_id or "",
            transaction.score - transaction.delta,
            transaction.score,
            previous_rank,
            current_rank,
            transaction.kind is Kind.HELD,
            self.suspicion,
        )


def boards_for(category: Category, now: datetime) -> tuple[Board, ...]:
    """Return the open boards of a category at `now`, ALL_TIME first, which every category has."""
    return _boards_of_day(category.id, category.periods, now.astimezone(UTC).date())


@lru_cache(maxsize=1024)
def _boards_of_day(category_id: str, periods: frozenset[Period], day: date) -> tuple[Board, ...]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)  # All windows begin and end at midnight.
    others = [period for period in Period if period in periods and period is not Period.ALL_TIME]
    return tuple(board_of(category_id, period, noon) for period in (Period.ALL_TIME, *others))


def post(request: ScoreRequest, account: Account, now: datetime, transaction_id: UUID, salt: bytes = b"") -> Posting:
    """Return the posting of `request` to `account`. Pure: nothing changes until the posting is stored.

    Args:
        request: The request.
        account: The account that it is judged by.
        now: The time of the transaction. If a clock was ahead when a score before was set, it is right after that.
        transaction_id: The id of the transaction.
        salt: Random bytes for the commitments. It may be empty where the request has no personal data.
    """
    details = PersonalDetails(request.actor.address, request.actor.user_agent, request.reason, salt)
    boards = boards_for(request.category, now)
    now = _after_all(now, [account.rows[board] for board in boards if board in account.rows])
    row = account.rows.get(boards[0])
    before = row.score if row else 0
    if request.correction is None:
        scores = _award(request, account, boards)
    else:
        scores = _correct(request.category, request.correction, account, boards)
    after = scores.get(boards[0], before)
    score_changes = []
    for board, score in scores.items():
        new_row = revise(request.category, account.rows.get(board), score, now, hidden=account.hidden)
        key = sort_key(request.category.sort_order, score)
        score_changes.append(ScoreChange(board, request.user_id, new_row, key))
    transaction = Transaction(
        id=transaction_id,
        user_id=request.user_id,
        seq=account.head.seq + 1,
        category_id=request.category.id,
        action_id=request.action.id if request.action else None,
        kind=request.kind,
        points=request.points,
        delta=after - before,
        score=after,
        token_hash=request.token_hash,
        request_key=request.request_key,
        request_hash=request.request_hash,
        actor=details.commit_actor(request.actor),
        reason=details.commit_reason(),
        created_at=now,
        previous_hash=account.head.hash,
    )
    metadata_rows = _metadata_rows(request, now)
    return Posting(
        transaction, account.head, account.profile, details, tuple(score_changes), request.suspicion, metadata_rows
    )


def note(
    kind: Kind, account: Account, actor: Actor, reason: str, now: datetime, transaction_id: UUID, salt: bytes
) -> Posting:
    """Return the posting of a transaction that concerns the user as a whole and changes no score."""
    details = PersonalDetails(actor.address, actor.user_agent, reason, salt)
    transaction = Transaction(
        id=transaction_id,
        user_id=account.profile.id,
        seq=account.head.seq + 1,
        category_id=None,
        action_id=None,
        kind=kind,
        points=0,
        delta=0,
        score=0,
        token_hash=None,
        request_key=None,
        request_hash=None,
        actor=details.commit_actor(actor),
        reason=details.commit_reason(),
        created_at=now,
        previous_hash=account.head.hash,
    )
    return Posting(transaction, account.head, account.profile, details)


def _metadata_rows(request: ScoreRequest, now: datetime) -> tuple[MetadataRow, ...]:
    """Return the metadata by the time of the transaction, which is that of the scores that it has set."""
    return tuple({period: MetadataRow(now, period, text) for period, text in request.metadata}.values())


def _after_all(now: datetime, rows: Iterable[ScoreRow]) -> datetime:
    """Return `now`, or if a row was reached later the time right after that: the time identifies the transaction."""
    return max([now, *(row.reached_at + timedelta(microseconds=1) for row in rows)])


def _award(request: ScoreRequest, account: Account, boards: tuple[Board, ...]) -> dict[Board, int]:
    """Return the new scores after an award, ALL_TIME first."""
    category, (all_time, *windows) = request.category, boards
    row = account.rows.get(all_time)
    after = next_score(category, row.score if row else None, request.points)
    # The cap of the all-time score limits an award, and the boards of the windows get the limited award, too.
    points = request.points if category.operator is not Operator.SUM else after - (row.score if row else 0)
    scores = {all_time: after}
    for board in windows:
        old = account.rows.get(board)
        scores[board] = next_score(category, old.score if old else None, points)
    return scores


def _correct(
    category: Category, correction: Correction, account: Account, boards: tuple[Board, ...]
) -> dict[Board, int]:
    """Return the new scores of the boards that the correction changes, ALL_TIME first if it is one of them."""
    scores = {}
    for board in boards:
        row = account.rows.get(board)
        before = row.score if row else 0
        after = max(0, min(category.score_cap, before + correction.get(board, 0)))
        if after != before:
            scores[board] = after
    return scores
