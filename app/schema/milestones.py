"""Milestones."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain import catalogue
from app.domain import milestones as domain
from app.schema.catalogue import Category
from app.schema.enums import MilestoneKind
from app.schema.users import User


@strawberry.type(description="Something a user reached for the first time. It stays, whatever becomes of the score.")
class Milestone:
    id: strawberry.ID = strawberry.field(description="Stable: names the user, the category and what was reached.")
    user: User = strawberry.field(description="Who reached it.")
    category: Category = strawberry.field(description="Where it was reached.")
    kind: MilestoneKind = strawberry.field(description="What was reached.")
    threshold: int | None = strawberry.field(description="The score that was reached; null unless the kind is SCORE.")
    reached_at: datetime = strawberry.field(description="When.")

    @staticmethod
    def of(milestone: domain.Milestone, category: catalogue.Category) -> Milestone:
        what = f"{milestone.kind.value}:{milestone.threshold}" if milestone.threshold else milestone.kind.value
        return Milestone(
            id=strawberry.ID(f"{milestone.user.id}/{milestone.category}/{what}"),
            user=User.of(milestone.user),
            category=Category.of(category),
            kind=milestone.kind,
            threshold=milestone.threshold,
            reached_at=milestone.reached_at,
        )
