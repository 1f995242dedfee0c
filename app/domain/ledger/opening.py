"""Opening balances: scores taken over from another system, as the first transactions of accounts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.domain.catalogue.catalogue import Category
from app.domain.ledger.posting import Account, ScoreRequest, boards_for
from app.domain.ledger.scoring import next_score
from app.domain.ledger.transactions import Actor, Kind

ACTOR = Actor(None, "operator")


@dataclass(frozen=True, slots=True)
class Balance:
    """One user's score. `reached_at` decides ties; None: the time of the import, in the order of the lines."""

    user_id: UUID
    username: str
    avatar_url: str | None
    score: int
    reached_at: datetime | None = None


def opening_request(category: Category, balance: Balance, reason: str) -> ScoreRequest:
    """Return the request to open a user's account in a category, which is posted once however often it is repeated."""
    return ScoreRequest(
        user_id=balance.user_id,
        category=category,
        kind=Kind.OPENING,
        points=balance.score,
        actor=ACTOR,
        request_key=f"opening:{category.id}:{balance.user_id}",
        reason=reason,
    )


def with_opening(request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    """Return the request with its correction: of the all-time board alone, by the category's operator."""
    (all_time, *_) = boards_for(request.category, now)
    row = account.rows.get(all_time)
    before = row.score if row else 0
    after = next_score(request.category, before, request.points)
    return replace(request, correction={all_time: after - before})


def reached_at(balance: Balance, account: Account, turn: datetime, now: datetime) -> datetime:
    """Return when the score counts as reached: at the time of the balance, else at its `turn` in the file.

    For a user who has a score in the category (`account.rows` are of it) it is now, because scores are combined.
    """
    return now if account.rows else balance.reached_at or turn
