"""A player's profile."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain import player_profiles as domain
from app.domain.catalogue import Catalogue
from app.schema.catalogue import Category
from app.schema.milestones import Milestone


@strawberry.type(description="What a player did in one category.")
class CategoryTotals:
    id: strawberry.ID = strawberry.field(description="Stable: names the user and the category.")
    category: Category = strawberry.field(description="Where.")
    score: int = strawberry.field(description="The all-time score.")
    actions: int = strawberry.field(description="How many actions were completed and paid.")
    average_points: float | None = strawberry.field(description="Points per action; null without actions.")
    best_daily_rank: int | None = strawberry.field(
        description="The best place on a daily board when the day ended: 1 + the users with a better score."
    )

    @staticmethod
    def of(totals: domain.CategoryTotals, user_id: str, catalogue: Catalogue) -> CategoryTotals:
        return CategoryTotals(
            id=strawberry.ID(f"{user_id}/{totals.category}"),
            category=Category.of(catalogue.category(totals.category)),
            score=totals.score,
            actions=totals.actions,
            average_points=totals.average,
            best_daily_rank=totals.best_daily_rank,
        )


@strawberry.type(description="An action that a player completed.")
class CompletedAction:
    action_type: str = strawberry.field(description="The id of the action, which may be gone from the catalogue.")
    name: str | None = strawberry.field(description="Its name for people, while it is in the catalogue.")
    category: Category = strawberry.field(description="Where it counted.")
    points: int = strawberry.field(description="What it was worth.")
    completed_at: datetime = strawberry.field(description="When.")

    @staticmethod
    def of(action: domain.CompletedAction, catalogue: Catalogue) -> CompletedAction:
        known = catalogue.actions.get(action.action_id)
        return CompletedAction(
            action_type=action.action_id,
            name=known.name if known else None,
            category=Category.of(catalogue.category(action.category)),
            points=action.points,
            completed_at=action.at,
        )


@strawberry.type(description="A player, with what they did so far. Asked for one at a time; lists show `User`.")
class PlayerProfile:
    id: strawberry.ID = strawberry.field(description="The user's UUID.")
    username: str = strawberry.field(description="The name on boards.")
    avatar_url: str | None = strawberry.field(description="A picture, if the user has one.")
    created_at: datetime | None = strawberry.field(description="When the user was first seen.")
    totals: list[CategoryTotals] = strawberry.field(description="Every category in which the player has a score.")
    actions: int = strawberry.field(description="How many actions were completed and paid, in all categories.")
    average_points: float | None = strawberry.field(description="Points per action; null without actions.")
    last_action: CompletedAction | None = strawberry.field(description="What the player completed last.")
    achievements: list[Milestone] = strawberry.field(description="What the player reached, the oldest first.")

    @staticmethod
    def of(profile: domain.PlayerProfile, catalogue: Catalogue) -> PlayerProfile:
        user, last = profile.user, profile.last_action
        return PlayerProfile(
            id=strawberry.ID(str(user.id)),
            username=user.username,
            avatar_url=user.avatar_url,
            created_at=user.created_at,
            totals=[CategoryTotals.of(one, str(user.id), catalogue) for one in profile.totals],
            actions=profile.actions,
            average_points=profile.average,
            last_action=CompletedAction.of(last, catalogue) if last else None,
            achievements=[Milestone.of(one, catalogue.category(one.category)) for one in profile.achievements],
        )
