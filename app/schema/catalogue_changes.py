"""Changing the catalogue, and the record of it."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from app.domain import catalogue_changes as domain
from app.schema.enums import CatalogueSubject, Operator, Period, SortOrder

REASON = "Why, for the audit: up to 500 characters."


@strawberry.input(description="A category to create, or what is to change in one. What is left out stays as it is.")
class SaveCategoryInput:
    id: str = strawberry.field(description="A slug of up to 50 characters: `a-z`, `0-9`, `_`, `-`.")
    reason: str = strawberry.field(description=REASON)
    name: str | None = strawberry.field(default=UNSET, description="A name for people. A new category needs one.")
    description: str | None = strawberry.field(default=UNSET, description="What is played here.")
    sort_order: SortOrder | None = strawberry.field(
        default=UNSET, description="Which score leads. Fixed once there are scores, and while it is switched on."
    )
    operator: Operator | None = strawberry.field(
        default=UNSET, description="How an award changes a score. Fixed once there are scores, and while switched on."
    )
    score_cap: int | None = strawberry.field(
        default=UNSET, description="The highest score, no lower than any that exists; null for the installation's."
    )
    periods: list[Period] | None = strawberry.field(
        default=UNSET, description="The periods for which there are boards; ALL_TIME is always one of them."
    )
    enabled: bool | None = strawberry.field(default=UNSET, description="Whether its actions can be claimed.")


@strawberry.input(description="What an action pays at one difficulty.")
class DifficultyInput:
    name: str = strawberry.field(description="As `issueActionToken` takes it.")
    points: int = strawberry.field(description="The points it pays.")


@strawberry.input(description="An action to create, or what is to change in one. What is left out stays as it is.")
class SaveActionInput:
    id: str = strawberry.field(description="The `actionType`: up to 50 letters, digits, `_`, `.`, `-`.")
    reason: str = strawberry.field(description=REASON)
    name: str | None = strawberry.field(default=UNSET, description="A name for people. A new action needs one.")
    description: str | None = strawberry.field(default=UNSET, description="What is to be done.")
    category: str | None = strawberry.field(default=UNSET, description="The id of the category in which it counts.")
    points: int | None = strawberry.field(default=UNSET, description="What it pays. A new action needs it.")
    difficulties: list[DifficultyInput] | None = strawberry.field(
        default=UNSET, description="What it pays at each difficulty; replaces all that there were."
    )
    repeatable: bool | None = strawberry.field(default=UNSET, description="Whether it pays more than once per user.")
    min_duration: int | None = strawberry.field(
        default=UNSET, description="Seconds between token and submission; less than a token's life."
    )
    cooldown: int | None = strawberry.field(default=UNSET, description="Seconds between two completions.")
    daily_limit: int | None = strawberry.field(default=UNSET, description="Completions per UTC day; null for any.")
    enabled: bool | None = strawberry.field(default=UNSET, description="Whether it can be claimed.")


@strawberry.type(description="A change of the catalogue, as the audit has it.")
class CatalogueChange:
    id: strawberry.ID = strawberry.field(description="Grows with time; goes into `before` to read on.")
    subject: CatalogueSubject = strawberry.field(description="What was changed.")
    subject_id: strawberry.ID = strawberry.field(description="Which.")
    before: JSON | None = strawberry.field(description="What it was; null when it was new.")
    after: JSON = strawberry.field(description="What it became.")
    actor_id: strawberry.ID | None = strawberry.field(description="Who changed it; null for the command line.")
    reason: str = strawberry.field(description="Why.")
    changed_at: datetime = strawberry.field(description="When.")

    @staticmethod
    def of(recorded: domain.RecordedChange) -> CatalogueChange:
        change = recorded.change
        return CatalogueChange(
            id=strawberry.ID(str(recorded.id)),
            subject=change.subject,
            subject_id=strawberry.ID(change.id),
            before=None if change.before is None else JSON(dict(change.before)),
            after=JSON(dict(change.after)),
            actor_id=strawberry.ID(str(recorded.actor_id)) if recorded.actor_id else None,
            reason=recorded.reason,
            changed_at=recorded.at,
        )
