"""What a caller gets for an award."""

from __future__ import annotations

import strawberry

from app.domain import receipts as domain
from app.schema.users import User


@strawberry.type(description="The points are committed: they cannot be lost any more.")
class ScoreAccepted:
    transaction_id: strawberry.ID = strawberry.field(description="Names the entry in the ledger.")
    user: User = strawberry.field(description="Who was paid.")
    previous_score: int = strawberry.field(description="The all-time score in the category before.")
    new_score: int = strawberry.field(description="The all-time score in the category now.")
    score_delta: int = strawberry.field(description="`newScore - previousScore`; less than asked for near the cap.")
    previous_rank: int | None = strawberry.field(
        description="All-time rank before; null for a first score, and while ranks are unavailable."
    )
    current_rank: int | None = strawberry.field(description="All-time rank now; null while ranks are unavailable.")

    @staticmethod
    def of(receipt: domain.Receipt) -> ScoreAccepted:
        return ScoreAccepted(
            transaction_id=strawberry.ID(str(receipt.transaction_id)),
            user=User.of(receipt.user),
            previous_score=receipt.previous_score,
            new_score=receipt.new_score,
            score_delta=receipt.delta,
            previous_rank=receipt.previous_rank,
            current_rank=receipt.current_rank,
        )
