"""Profiles with results and achievements."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain.catalogue.catalogue import Catalogue
from app.domain.players import profiles as domain
from app.schema.catalogue.catalogue import Category
from app.schema.nodes import Node, node_id
from app.schema.players.milestones import Milestone
from app.schema.players.users import User
from app.schema.scalars import Score


@strawberry.type(description="A user's results in one category.")
class CategoryTotals:
    id: strawberry.ID = strawberry.field(description="A stable identifier of the user and the category.")
    category: Category = strawberry.field(description="The category of these results.")
    score: Score = strawberry.field(description="The user's all-time score in the category.")
    actions: int = strawberry.field(description="How many completed actions were paid in this category.")
    average_points: float | None = strawberry.field(
        description="The average points per completed action. Null if there are none."
    )
    best_daily_rank: int | None = strawberry.field(
        description=(
            "The best final `competitionRank` on a daily board. Null if no day with a score of the user has been "
            "closed."
        )
    )

    @staticmethod
    def of(totals: domain.CategoryTotals, user_id: str, catalogue: Catalogue) -> CategoryTotals:
        """Convert the totals of a user."""
        return CategoryTotals(
            id=node_id("CategoryTotals", f"{user_id}/{totals.category}"),
            category=Category.of(catalogue.category(totals.category)),
            score=totals.score,
            actions=totals.actions,
            average_points=totals.average,
            best_daily_rank=totals.best_daily_rank,
        )


@strawberry.type(description="An action that a user completed.")
class CompletedAction:
    action_type: str = strawberry.field(
        description="The `id` of the action. It may have been removed from the catalogue since."
    )
    name: str | None = strawberry.field(
        description="The name of the action to show to users. Null if it has been removed from the catalogue."
    )
    category: Category = strawberry.field(description="The category in which the points counted.")
    points: Score = strawberry.field(description="The points that the action was worth.")
    completed_at: datetime = strawberry.field(description="When the action was completed.")

    @staticmethod
    def of(action: domain.CompletedAction, catalogue: Catalogue) -> CompletedAction:
        """Convert a completed action."""
        known = catalogue.actions.get(action.action_id)
        return CompletedAction(
            action_type=action.action_id,
            name=known.name if known else None,
            category=Category.of(catalogue.category(action.category)),
            points=action.points,
            completed_at=action.at,
        )


@strawberry.type(
    description=(
        "A user's profile with results and achievements. Available for one user at a time; lists contain `User`."
    )
)
class PlayerProfile(Node):
    id: strawberry.ID = strawberry.field(description="A stable identifier of the profile. The user is `user`.")
    user: User = strawberry.field(description="The user whose profile this is, as lists contain them.")
    username: str = strawberry.field(description="The unique name that boards show.")
    avatar_url: str | None = strawberry.field(description="The URL of the user's picture. Null if there is none.")
    created_at: datetime | None = strawberry.field(description="When the service first saw the user.")
    totals: list[CategoryTotals] = strawberry.field(
        description="The results in every category in which the user has a score."
    )
    actions: int = strawberry.field(description="How many completed actions were paid, in all categories together.")
    average_points: float | None = strawberry.field(
        description="The average points per completed action in all categories. Null if there are none."
    )
    last_action: CompletedAction | None = strawberry.field(
        description="The most recently completed action. Null if there is none."
    )
    achievements: list[Milestone] = strawberry.field(
        description="The milestones that the user has reached, oldest first."
    )

    @staticmethod
    def of(profile: domain.PlayerProfile, catalogue: Catalogue) -> PlayerProfile:
        """Convert a profile."""
        user, last = profile.user, profile.last_action
        return PlayerProfile(
            id=node_id("PlayerProfile", user.id),
            user=User.of(user),
            username=user.username,
            avatar_url=user.avatar_url,
            created_at=user.created_at,
            totals=[CategoryTotals.of(one, str(user.id), catalogue) for one in profile.totals],
            actions=profile.actions,
            average_points=profile.average,
            last_action=CompletedAction.of(last, catalogue) if last else None,
            achievements=[Milestone.of(one, catalogue.category(one.category)) for one in profile.achievements],
        )
