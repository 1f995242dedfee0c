"""Receipts: the result of an award. A receipt is not signed; its transaction in the ledger is the proof."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.domain.ledger.activity import Suspicion
from app.domain.users import Profile


@dataclass(frozen=True, slots=True)
class Receipt:
    """The effect of one award on the user's all-time score in its category.

    Attributes:
        previous_rank: The rank on the all-time board before the award. Ranks are None while Redis cannot be used, and
            on the receipt of a repeat, because ranks of the past are not stored.
        current_rank: The rank after the award.
        held: Whether the award is held for a review instead of paid.
        suspicion: What fraud detection found; None on the receipt of a repeat.
    """

    transaction_id: UUID
    user: Profile
    category: str
    previous_score: int
    new_score: int
    previous_rank: int | None = None
    current_rank: int | None = None
    held: bool = False
    suspicion: Suspicion | None = None

    @property
    def delta(self) -> int:
        """The change of the score."""
        return self.new_score - self.previous_score
