"""The ledger: claims become transactions, and transactions move scores.

Every user has a chain of transactions. Each carries a hash over its content and the hash before it, so an altered,
removed or inserted one breaks the chain. Chains are per user: writers of different users never wait for each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.boards import Board, board_of
from app.domain.catalogue import Action, Category, Operator
from app.domain.periods import Period
from app.domain.receipts import Receipt
from app.domain.scoring import ScoreRow, next_score, revise, sort_key
from app.domain.users import Profile


class Kind(StrEnum):
    """Why a score changed."""

    ACTION = "ACTION"
    """A player submitted an action token."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused a transaction, and from where."""

    id: UUID | None
    role: str
    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish to change one user's score in one category. Nothing has been checked against the user's state yet."""

    user_id: UUID
    category: Category
    kind: Kind
    points: int
    actor: Actor
    action: Action | None = None
    token_hash: bytes | None = None
    token_issued_at: datetime | None = None
    request_key: str | None = None
    request_hash: bytes | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a user's chain: how many transactions it has, and the hash of the last."""

    seq: int = 0
    hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Activity:
    """What the rules need to know of a user's past with one action."""

    last_at: datetime | None = None
    done_today: int = 0
    done_ever: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A user's state as one claim needs it, all of one moment: the one at which the chain ended in `head`."""

    profile: Profile
    head: Head
    rows: Mapping[Board, ScoreRow] = field(default_factory=dict)
    activity: Activity = Activity()
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Transaction:
    """One entry of a chain."""

    id: UUID
    user_id: UUID
    seq: int
    category_id: str
    action_id: str | None
    kind: Kind
    points: int
    delta: int
    score: int
    token_hash: bytes | None
    request_key: str | None
    request_hash: bytes | None
    actor: Actor
    reason: str | None
    created_at: datetime
    previous_hash: bytes

    @property
    def hash(self) -> bytes:
        """SHA-256 over the canonical content: a JSON array in the order of the fields, behind the previous hash."""
        content: Sequence[object] = (
            str(self.id),
            str(self.user_id),
            self.seq,
            self.category_id,
            self.action_id,
            self.kind.value,
            self.points,
            self.delta,
            self.score,
            _hex(self.token_hash),
            self.request_key,
            _hex(self.request_hash),
            None if self.actor.id is None else str(self.actor.id),
            self.actor.role,
            self.actor.address,
            self.actor.user_agent,
            self.reason,
            round(self.created_at.timestamp() * 1_000_000),
        )
        canonical = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(self.previous_hash + canonical.encode()).digest()


@dataclass(frozen=True, slots=True)
class Standing:
    """A user's new state on one board, as the copies of that board need it."""

    board: Board
    user_id: UUID
    row: ScoreRow
    sort_key: int


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction together with the states it leads to. It holds only while the user's chain still ends in `head`."""

    transaction: Transaction
    head: Head
    profile: Profile
    standings: tuple[Standing, ...]

    def receipt(self, previous_rank: int | None = None, current_rank: int | None = None) -> Receipt:
        """What the caller gets."""
        entry = self.transaction
        before = entry.score - entry.delta
        return Receipt(entry.id, self.profile, entry.category_id, before, entry.score, previous_rank, current_rank)


def boards_for(category: Category, now: datetime) -> tuple[Board, ...]:
    """The open boards of a category at `now`, ALL_TIME first: the ledger counts by it, so it is always kept."""
    others = [period for period in Period if period in category.periods and period is not Period.ALL_TIME]
    return tuple(board_of(category.id, period, now) for period in (Period.ALL_TIME, *others))


def post(claim: Claim, account: Account, now: datetime, transaction_id: UUID) -> Posting:
    """What `claim` makes of `account`. Pure: storing the posting is what makes it true."""
    category = claim.category
    all_time, *windows = boards_for(category, now)
    row = account.rows.get(all_time)
    before = row.score if row else 0
    after = next_score(category, row.score if row else None, claim.points)
    # An award is cut to the room left under the cap, and the boards of the windows get the same cut.
    points = after - before if category.operator is Operator.SUM else claim.points
    standings = []
    for board in (all_time, *windows):
        old = account.rows.get(board)
        score = after if board is all_time else next_score(category, old.score if old else None, points)
        new = revise(old, score, now, hidden=account.hidden)
        standings.append(Standing(board, claim.user_id, new, sort_key(category.sort_order, score)))
    transaction = Transaction(
        id=transaction_id,
        user_id=claim.user_id,
        seq=account.head.seq + 1,
        category_id=category.id,
        action_id=claim.action.id if claim.action else None,
        kind=claim.kind,
        points=claim.points,
        delta=after - before,
        score=after,
        token_hash=claim.token_hash,
        request_key=claim.request_key,
        request_hash=claim.request_hash,
        actor=claim.actor,
        reason=claim.reason,
        created_at=now,
        previous_hash=account.head.hash,
    )
    return Posting(transaction, account.head, account.profile, tuple(standings))


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else raw.hex()
