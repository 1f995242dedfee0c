"""Receipts: what a caller gets for an award."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.domain.users import Profile


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one award did to the user's all-time score in its category.

    Ranks are those around the award on the all-time board. They are None while Redis is away, and on a receipt that is
    shown again later, because ranks of the past are not kept. `held`: recorded for a review, and not paid.
    """

    transaction_id: UUID
    user: Profile
    category: str
    previous_score: int
    new_score: int
    previous_rank: int | None = None
    current_rank: int | None = None
    held: bool = False

    @property
    def delta(self) -> int:
        return self.new_score - self.previous_score
