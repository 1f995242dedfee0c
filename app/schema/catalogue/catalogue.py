"""Categories and actions."""

from __future__ import annotations

import strawberry

from app.domain import scores
from app.domain.catalogue import catalogue as domain
from app.schema.enums import ActionKind, Operator, Period, ScoreFormatKind, SortOrder
from app.schema.nodes import Node, node_id
from app.schema.scalars import Score


@strawberry.type(
    description=(
        "How the scores of a category are written for people. The text does not depend on the language: thousands are "
        "separated by commas, and the unit follows after a space."
    )
)
class ScoreFormat:
    kind: ScoreFormatKind = strawberry.field(description="What the whole number of a score counts.")
    digits: int | None = strawberry.field(
        description="How many of the digits are after the decimal point. Null unless `kind` is DECIMAL."
    )
    unit: str | None = strawberry.field(description="What follows the number, for example `m`. Null if there is none.")

    @staticmethod
    def of(score_format: scores.ScoreFormat) -> ScoreFormat:
        """Convert a score format."""
        return ScoreFormat(kind=score_format.kind, digits=score_format.digits or None, unit=score_format.unit)


@strawberry.type(
    description=(
        "A set of leaderboards, one for each of its periods, with scores of its own. Scores of different "
        "categories are independent."
    )
)
class Category(Node):
    id: strawberry.ID = strawberry.field(description="The identifier to pass as `category`, for example `global`.")
    name: str = strawberry.field(description="The name to show to users.")
    description: str = strawberry.field(description="What this category is about, to show to users. May be empty.")
    sort_order: SortOrder = strawberry.field(description="Whether the highest or the lowest score is the best.")
    operator: Operator = strawberry.field(description="How the points of a completed action change the score.")
    score_cap: Score = strawberry.field(description="The highest score a user can have in this category.")
    score_format: ScoreFormat = strawberry.field(description="How scores of this category are written for people.")
    periods: list[Period] = strawberry.field(description="The periods for which this category has boards.")
    enabled: bool = strawberry.field(
        description="False if the actions of this category are switched off. Its boards can still be read."
    )
    entry_metadata: bool = strawberry.field(
        description="Whether the entries of its boards have `metadata`, for example the link to a replay."
    )

    @staticmethod
    def of(category: domain.Category) -> Category:
        """Convert a category."""
        return Category(
            id=strawberry.ID(category.id),
            name=category.name,
            description=category.description,
            sort_order=category.sort_order,
            operator=category.operator,
            score_cap=category.score_cap,
            score_format=ScoreFormat.of(category.score_format),
            periods=[period for period in Period if period in category.periods],
            enabled=category.enabled,
            entry_metadata=category.entry_metadata,
        )


@strawberry.type(description="A difficulty of an action, and the points that it pays.")
class Difficulty:
    id: strawberry.ID = strawberry.field(description="A stable identifier of the action and the difficulty.")
    name: str = strawberry.field(description="The name to pass as `difficulty`.")
    points: Score = strawberry.field(description="The points that the action pays at this difficulty.")


@strawberry.type(
    description=(
        "Something that users can complete for points. The points are set here by the operator of the "
        "service, or stated by the game for each completion; clients cannot choose them."
    )
)
class Action(Node):
    id: strawberry.ID = strawberry.field(description="A stable identifier of the action, for caches and `node`.")
    action_type: str = strawberry.field(
        description="The name of the action in arguments, for example `COMPLETE_LEVEL`."
    )
    name: str = strawberry.field(description="The name to show to users.")
    description: str = strawberry.field(description="What a user has to do, to show to users. May be empty.")
    category: Category = strawberry.field(description="The category in which the points count.")
    kind: ActionKind = strawberry.field(
        description="Whether the catalogue or the game decides what a completion is worth."
    )
    points: Score | None = strawberry.field(
        description=(
            "The points that the action pays when no difficulty is given. Null if a difficulty must be given, and for "
            "a STATED action."
        )
    )
    min_value: Score | None = strawberry.field(
        description="The lowest value that the game can state. Null for a FIXED action."
    )
    max_value: Score | None = strawberry.field(
        description="The highest value that the game can state. Null for a FIXED action."
    )
    difficulties: list[Difficulty] = strawberry.field(
        description="The difficulties that can be chosen, and what each pays. Empty if the action has none."
    )
    repeatable: bool = strawberry.field(description="False if the action pays only once per user.")
    min_duration: int = strawberry.field(
        description=(
            "How many seconds must pass between requesting the action token and submitting it. 0 if there is no "
            "minimum."
        )
    )
    cooldown: int = strawberry.field(
        description="How many seconds must pass between two completions by the same user. 0 if there is no minimum."
    )
    daily_limit: int | None = strawberry.field(
        description="How many times a user can complete the action per UTC day. Null if there is no limit."
    )
    enabled: bool = strawberry.field(description="False if the action is switched off and no tokens are issued for it.")

    @staticmethod
    def of(action: domain.Action, category: domain.Category) -> Action:
        """Convert an action of `category`."""
        values = action.values_in(category) if action.is_stated else None
        return Action(
            id=node_id("Action", action.id),
            action_type=action.id,
            name=action.name,
            description=action.description,
            category=Category.of(category),
            kind=action.kind,
            points=action.points,
            min_value=values.start if values else None,
            max_value=values.stop - 1 if values else None,
            difficulties=[
                Difficulty(id=node_id("Difficulty", f"{action.id}/{name}"), name=name, points=points)
                for name, points in action.difficulties.items()
            ],
            repeatable=action.repeatable,
            min_duration=int(action.min_duration.total_seconds()),
            cooldown=int(action.cooldown.total_seconds()),
            daily_limit=action.daily_limit,
            enabled=action.enabled,
        )
