"""Milestones."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain.catalogue import catalogue
from app.domain.players import milestones as domain
from app.schema.catalogue.catalogue import Category
from app.schema.enums import MilestoneKind
from app.schema.nodes import node_id
from app.schema.players.users import User
from app.schema.scalars import Score


@strawberry.type(
    description="An achievement that a user reached for the first time. It is kept even if the score falls later."
)
class Milestone:
    id: strawberry.ID = strawberry.field(
        description="A stable identifier of the user, the category and the achievement."
    )
    user: User = strawberry.field(description="The user who reached the milestone.")
    category: Category = strawberry.field(description="The category in which it was reached.")
    kind: MilestoneKind = strawberry.field(description="The kind of achievement: a score or a rank.")
    threshold: Score | None = strawberry.field(description="The score that was reached. Null unless `kind` is SCORE.")
    reached_at: datetime = strawberry.field(description="When the milestone was reached.")

    @staticmethod
    def of(milestone: domain.Milestone, category: catalogue.Category) -> Milestone:
        """Convert a milestone."""
        what = f"{milestone.kind.value}:{milestone.threshold}" if milestone.threshold else milestone.kind.value
        return Milestone(
            id=node_id("Milestone", f"{milestone.user.id}/{milestone.category}/{what}"),
            user=User.of(milestone.user),
            category=Category.of(category),
            kind=milestone.kind,
            threshold=milestone.threshold,
            reached_at=milestone.reached_at,
        )
