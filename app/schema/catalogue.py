"""Categories and actions."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.domain import catalogue as domain
from app.schema.enums import Operator, Period, SortOrder


@strawberry.type(description="A family of boards, isolated from all others.")
class Category:
    id: strawberry.ID = strawberry.field(description="The slug by which boards are asked for.")
    name: str = strawberry.field(description="A name for people.")
    description: str = strawberry.field(description="What is played here.")
    sort_order: SortOrder = strawberry.field(description="Which score leads.")
    operator: Operator = strawberry.field(description="How an award changes a score.")
    score_cap: int = strawberry.field(description="The highest score a user can have here.")
    periods: list[Period] = strawberry.field(description="The periods for which there are boards.")
    enabled: bool = strawberry.field(description="Whether its actions can be claimed now.")

    @staticmethod
    def of(category: domain.Category) -> Category:
        return Category(
            id=strawberry.ID(category.id),
            name=category.name,
            description=category.description,
            sort_order=category.sort_order,
            operator=category.operator,
            score_cap=category.score_cap,
            periods=[period for period in Period if period in category.periods],
            enabled=category.enabled,
        )


@strawberry.type(description="What an action pays at one difficulty.")
class Difficulty:
    name: str = strawberry.field(description="As `issueActionToken` takes it.")
    points: int = strawberry.field(description="The points it pays.")


@strawberry.type(description="Something a player can complete. What it pays is decided here, never by a client.")
class Action:
    id: strawberry.ID = strawberry.field(description="The `actionType` by which tokens are asked for.")
    name: str = strawberry.field(description="A name for people.")
    description: str = strawberry.field(description="What is to be done.")
    category: Category = strawberry.field(description="Where its points count.")
    points: int = strawberry.field(description="What it pays when no difficulty is named.")
    difficulties: list[Difficulty] = strawberry.field(description="What it pays otherwise.")
    repeatable: bool = strawberry.field(description="Whether it pays more than once per user.")
    min_duration: int = strawberry.field(description="Seconds between token and submission, at least.")
    cooldown: int = strawberry.field(description="Seconds between two completions, at least.")
    daily_limit: int | None = strawberry.field(description="Completions per UTC day; null for any number.")
    enabled: bool = strawberry.field(description="Whether it can be claimed now.")

    @staticmethod
    def of(action: domain.Action, category: domain.Category) -> Action:
        return Action(
            id=strawberry.ID(action.id),
            name=action.name,
            description=action.description,
            category=Category.of(category),
            points=action.points,
            difficulties=[Difficulty(name=name, points=points) for name, points in action.difficulties.items()],
            repeatable=action.repeatable,
            min_duration=int(action.min_duration.total_seconds()),
            cooldown=int(action.cooldown.total_seconds()),
            daily_limit=action.daily_limit,
            enabled=action.enabled,
        )


CategoryArgument = Annotated[str, strawberry.argument(description="The id of a category.")]
PeriodArgument = Annotated[Period, strawberry.argument(description="The period of the board.")]
