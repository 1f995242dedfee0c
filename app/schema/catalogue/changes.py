"""Inputs that change the catalogue, and its audit log."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from app.domain.catalogue import changes as domain
from app.schema.enums import ActionKind, CatalogueSubject, Operator, Period, ScoreFormatKind, SortOrder
from app.schema.nodes import Node, node_id
from app.schema.scalars import Score

REASON = "The reason for the change, kept in the audit log: 1 to 500 characters."


@strawberry.input(description="How the scores of a category are written for people.")
class ScoreFormatInput:
    kind: ScoreFormatKind = strawberry.field(description="What the whole number of a score counts.")
    digits: int | None = strawberry.field(
        default=None,
        description="How many of the digits are after the decimal point, from 1 to 15. Required for DECIMAL only.",
    )
    unit: str | None = strawberry.field(
        default=None, description="What follows the number: up to 12 characters. Null for nothing."
    )


@strawberry.input(
    description=("The category to create, or the fields to change in an existing one. Omitted fields keep their value.")
)
class SaveCategoryInput:
    id: str = strawberry.field(
        description="The identifier of the category: up to 50 characters of `a-z`, `0-9`, `_` and `-`."
    )
    reason: str = strawberry.field(description=REASON)
    name: str | None = strawberry.field(
        default=UNSET, description="The name to show to users. Required for a new category."
    )
    description: str | None = strawberry.field(
        default=UNSET, description="What the category is about, to show to users."
    )
    sort_order: SortOrder | None = strawberry.field(
        default=UNSET,
        description=(
            "Whether the highest or the lowest score is the best. Cannot be changed while the category is "
            "enabled, or once it has scores."
        ),
    )
    operator: Operator | None = strawberry.field(
        default=UNSET,
        description=(
            "How the points of a completed action change the score. Cannot be changed while the category is "
            "enabled, or once it has scores."
        ),
    )
    score_cap: Score | None = strawberry.field(
        default=UNSET,
        description=(
            "The highest score a user can have. It must not be lower than any existing score. Null means the "
            "default of the installation."
        ),
    )
    score_format: ScoreFormatInput | None = strawberry.field(
        default=UNSET, description="How scores are written for people. It can be changed at any time."
    )
    periods: list[Period] | None = strawberry.field(
        default=UNSET, description="The periods for which there are boards. ALL_TIME is always included."
    )
    enabled: bool | None = strawberry.field(
        default=UNSET, description="Whether users can complete the actions of the category."
    )
    entry_metadata: bool | None = strawberry.field(
        default=UNSET, description="Whether entries of its boards have `metadata`."
    )


@strawberry.input(description="A difficulty of an action, and the points that it pays.")
class DifficultyInput:
    name: str = strawberry.field(description="The name that clients pass as `difficulty`.")
    points: Score = strawberry.field(description="The points that the action pays at this difficulty.")


@strawberry.input(
    description="The action to create, or the fields to change in an existing one. Omitted fields keep their value."
)
class SaveActionInput:
    id: str = strawberry.field(
        description="The identifier that clients pass as `actionType`: up to 50 letters, digits, `_`, `.` and `-`."
    )
    reason: str = strawberry.field(description=REASON)
    name: str | None = strawberry.field(
        default=UNSET, description="The name to show to users. Required for a new action."
    )
    description: str | None = strawberry.field(default=UNSET, description="What a user has to do, to show to users.")
    category: str | None = strawberry.field(
        default=UNSET, description="The `id` of the category in which the points count."
    )
    kind: ActionKind | None = strawberry.field(
        default=UNSET,
        description=(
            "Whether the catalogue or the game decides what a completion is worth: FIXED unless given for a new "
            "action. When it changes, what the action was worth before is discarded."
        ),
    )
    points: Score | None = strawberry.field(
        default=UNSET,
        description=(
            "The points that a FIXED action pays when no difficulty is given. Null means that a difficulty must be "
            "given."
        ),
    )
    min_value: Score | None = strawberry.field(
        default=UNSET, description="The lowest value that the game can state for a STATED action. Null means 1."
    )
    max_value: Score | None = strawberry.field(
        default=UNSET,
        description=(
            "The highest value that the game can state for a STATED action. Null means the score cap of the "
            "category, which is the limit in any case where scores do not add up."
        ),
    )
    difficulties: list[DifficultyInput] | None = strawberry.field(
        default=UNSET, description="All difficulties of the action. The list replaces the existing one."
    )
    repeatable: bool | None = strawberry.field(
        default=UNSET, description="False if the action pays only once per user."
    )
    min_duration: int | None = strawberry.field(
        default=UNSET,
        description=(
            "How many seconds must pass between requesting the action token and submitting it. It must be less "
            "than the lifetime of a token."
        ),
    )
    cooldown: int | None = strawberry.field(
        default=UNSET, description="How many seconds must pass between two completions by the same user."
    )
    daily_limit: int | None = strawberry.field(
        default=UNSET, description="How many times a user can complete the action per UTC day. Null means no limit."
    )
    enabled: bool | None = strawberry.field(default=UNSET, description="Whether users can complete the action.")


@strawberry.type(description="An entry of the audit log: one change of a category or an action.")
class CatalogueChange(Node):
    id: strawberry.ID = strawberry.field(description="A stable identifier of the entry of the audit log.")
    subject: CatalogueSubject = strawberry.field(description="Whether a category or an action was changed.")
    subject_id: str = strawberry.field(
        description="The `id` of the category, or the `actionType` of the action, that was changed."
    )
    before: JSON | None = strawberry.field(
        description="All fields before the change. Null if the change created the category or action."
    )
    after: JSON = strawberry.field(description="All fields after the change.")
    actor_id: strawberry.ID | None = strawberry.field(
        description="The id of the moderator who made the change. Null if it was made from the command line."
    )
    reason: str = strawberry.field(description="The reason that was given for the change.")
    changed_at: datetime = strawberry.field(description="When the change was made.")

    @staticmethod
    def of(recorded: domain.RecordedChange) -> CatalogueChange:
        """Convert a change."""
        change = recorded.change
        return CatalogueChange(
            id=node_id("CatalogueChange", recorded.id),
            subject=change.subject,
            subject_id=change.id,
            before=None if change.before is None else JSON(dict(change.before)),
            after=JSON(dict(change.after)),
            actor_id=strawberry.ID(str(recorded.actor_id)) if recorded.actor_id else None,
            reason=recorded.reason,
            changed_at=recorded.at,
        )
