"""Receipts of accepted submissions."""

from __future__ import annotations

import strawberry

from app.domain.ledger import receipts as domain
from app.domain.users import Caller
from app.schema.players.users import User
from app.schema.scalars import Score


@strawberry.type(description="The receipt of a successful submission: the points are committed to the database.")
class ScoreAccepted:
    transaction_id: strawberry.ID = strawberry.field(description="The id of the transaction in the user's ledger.")
    user: User = strawberry.field(description="The user who received the points.")
    previous_score: Score = strawberry.field(
        description="The user's all-time score in the category before the submission."
    )
    new_score: Score = strawberry.field(description="The user's all-time score in the category after the submission.")
    score_delta: Score = strawberry.field(
        description=(
            "The change of the all-time score: `newScore - previousScore`. Smaller than the action's points if "
            "the score reached its cap."
        )
    )
    previous_rank: int | None = strawberry.field(
        description=(
            "The all-time rank before the submission. Null for the user's first score, or if ranks are "
            "temporarily unavailable."
        )
    )
    current_rank: int | None = strawberry.field(
        description="The all-time rank after the submission. Null if ranks are temporarily unavailable."
    )

    @staticmethod
    def of(receipt: domain.Receipt, viewer: Caller | None) -> ScoreAccepted:
        """Convert a receipt, with the user as `viewer` may see them."""
        return ScoreAccepted(
            transaction_id=strawberry.ID(str(receipt.transaction_id)),
            user=User.of(receipt.user.as_seen_by(viewer)),
            previous_score=receipt.previous_score,
            new_score=receipt.new_score,
            score_delta=receipt.delta,
            previous_rank=receipt.previous_rank,
            current_rank=receipt.current_rank,
        )
