"""Opening balances: the scores that users bring along from another system."""

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
    """One user's score. `reached_at` decides ties; None: when it is imported, in the order of the lines."""

    user_id: UUID
    username: str
    avatar_url: str | None
    score: int
    reached_at: datetime | None = None


def opening_claim(category: Category, balance: Balance, reason: str) -> ScoreRequest:
    """The wish to open a user's account in a category, which comes true once, however often it is uttered."""
    return ScoreRequest(
        user_id=balance.user_id,
        category=category,
        kind=Kind.OPENING,
        points=balance.score,
        actor=ACTOR,
        request_key=f"opening:{category.id}:{balance.user_id}",
        reason=reason,
    )


def opened(request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    """The claim with its effect: on the all-time board alone, by the category's operator; a window has no past."""
    (all_time, *_) = boards_for(request.category, now)
    row = account.rows.get(all_time)
    before = row.score if row else 0
    after = next_score(request.category, before, request.points)
    return replace(request, correction={all_time: after - before})


def opened_at(balance: Balance, account: Account, turn: datetime, now: datetime) -> datetime:
    """When the score counts as reached: when it was, else at the balance's `turn` in its file.

    For a user who has a score in the category (`account.rows` are of it) it is now: what adds up has no earlier time.
    """
    return now if account.rows else balance.reached_at or turn
