"""Validation of changes of the catalogue.

Categories and actions are written as documents: JSON objects whose fields have the names of the GraphQL schema. A
change gives some of the fields; the others keep their values, or have their defaults in a new category or action.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import DEFAULT_CATEGORY, MAX_SHARDS, ActionKind, Operator, SortOrder
from app.domain.errors import BadUserInput
from app.domain.scores import MAX_SCORE, WHOLE_NUMBERS, parse_score_format

Document = Mapping[str, Any]
"""A category or action as a JSON object."""

REQUIRED = object()
"""Instead of a default: the field must be given for a new category or action."""

DAY = 86_400
"""Seconds in a day."""

MAX_NAME, MAX_DESCRIPTION, MAX_ID, MAX_REASON = 100, 1_000, 50, 500
"""Maximum characters of texts."""

MAX_DIFFICULTIES = 20
"""Maximum number of difficulties of an action."""

MAX_DAILY_LIMIT = 1_000
"""Maximum daily limit of an action: no more past completions are counted when one is judged."""

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""The form of the id of a category."""

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""The form of the id of an action, and of the name of a difficulty."""


class CatalogueSubject(StrEnum):
    """The kind of what is changed."""

    CATEGORY = "category"
    ACTION = "action"


@dataclass(frozen=True, slots=True)
class CatalogueLimits:
    """The bounds of this installation.

    Attributes:
        points: The maximum points of an action.
        token_seconds: The lifetime of an action token.
    """

    points: int
    token_seconds: int


@dataclass(frozen=True, slots=True)
class Change:
    """One category or action before and after a change. `before` is None for a new one."""

    subject: CatalogueSubject
    before: Document | None
    after: Document

    @property
    def id(self) -> str:
        """The id of the category or action."""
        subject_id: str = self.after["id"]
        return subject_id

    @property
    def changes_order(self) -> bool:
        """Whether existing scores would have to be sorted or computed again."""
        before = self.before
        return before is not None and any(before.get(key) != self.after.get(key) for key in ("sortOrder", "operator"))


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """A change in the audit log. `actor_id` is None for the command line."""

    id: UUID
    change: Change
    actor_id: UUID | None
    actor_role: str
    reason: str
    at: datetime


def category_change(before: Document | None, given: Document, limits: CatalogueLimits) -> Change:
    """Validate a change of a category.

    Args:
        before: The present state; None for a new category.
        given: The fields to change.
        limits: The bounds of this installation.

    Raises:
        BadUserInput: The change is invalid. The message has all problems.
    """
    fields = {
        "id": (REQUIRED, _text(MAX_ID, SLUG)),
        "name": (REQUIRED, _text(MAX_NAME)),
        "description": ("", _text(MAX_DESCRIPTION, empty=True)),
        "sortOrder": (SortOrder.HIGH_FIRST.value, _one_of(SortOrder)),
        "operator": (Operator.SUM.value, _one_of(Operator)),
        "scoreCap": (None, _optional(_whole(1, MAX_SCORE))),
        "scoreFormat": (WHOLE_NUMBERS.document(), parse_score_format),
        "periods": ([period.value for period in Period], _periods),
        "enabled": (True, _flag),
        "entryMetadata": (False, _flag),
        "shards": (1, _whole(1, MAX_SHARDS)),
    }
    return Change(CatalogueSubject.CATEGORY, before, _merge("category", before, given, fields))


def action_change(before: Document | None, given: Document, limits: CatalogueLimits) -> Change:
    """Validate a change of an action; the caller must check that its category exists.

    Args:
        before: The present state; None for a new action.
        given: The fields to change.
        limits: The bounds of this installation.

    Raises:
        BadUserInput: The change is invalid. The message has all problems.
    """
    fields = {
        "id": (REQUIRED, _text(MAX_ID, WORD)),
        "name": (REQUIRED, _text(MAX_NAME)),
        "description": ("", _text(MAX_DESCRIPTION, empty=True)),
        "category": (DEFAULT_CATEGORY, _text(MAX_ID, SLUG)),
        "kind": (ActionKind.FIXED.value, _one_of(ActionKind)),
        "points": (None, _optional(_whole(1, limits.points))),
        "difficulties": ({}, _difficulties(limits.points)),
        "minValue": (None, _optional(_whole(1, MAX_SCORE))),
        "maxValue": (None, _optional(_whole(1, MAX_SCORE))),
        "repeatable": (True, _flag),
        # A token that expires before the action can be completed could never be used.
        "minDuration": (0, _whole(0, limits.token_seconds - 1)),
        "cooldown": (0, _whole(0, 366 * DAY)),
        "dailyLimit": (None, _optional(_whole(1, MAX_DAILY_LIMIT))),
        "enabled": (True, _flag),
    }
    after = _merge("action", _fitting_fields(before, given), given, fields)
    if problems := _problems_of_kind(after):
        raise BadUserInput(f"action {after['id']}: {' '.join(problems)}")
    return Change(CatalogueSubject.ACTION, before, after)


FIELDS_OF_KIND: Mapping[ActionKind, Document] = {
    ActionKind.FIXED: {"points": None, "difficulties": {}},
    ActionKind.STATED: {"minValue": None, "maxValue": None},
}
"""The fields that say what an action of each kind is worth, as they are in actions of the other kind."""


def _fitting_fields(before: Document | None, given: Document) -> Document | None:
    """Return `before` without what an action of another kind was worth, if the change gives another kind."""
    kind = given.get("kind")
    if before is None or kind in (None, before["kind"]):
        return before
    return {**before, **FIELDS_OF_KIND[ActionKind(before["kind"])]}


def _problems_of_kind(action: Document) -> list[str]:
    """Return what contradicts the kind of an action."""
    kind = ActionKind(action["kind"])
    problems = [
        f"`{name}` must not be set for a {kind} action."
        for other, fields in FIELDS_OF_KIND.items()
        for name, empty in fields.items()
        if other is not kind and action[name] != empty
    ]
    if kind is ActionKind.FIXED and action["points"] is None and not action["difficulties"]:
        problems.append("`points` is required for a FIXED action without difficulties.")
    minimum, maximum = action["minValue"], action["maxValue"]
    if minimum is not None and maximum is not None and minimum > maximum:
        problems.append("`minValue` must not be more than `maxValue`.")
    return problems


def check_reason(reason: str) -> str:
    """Return `reason` without surrounding white space. Raises BadUserInput if it is empty or too long."""
    return str(_text(MAX_REASON)("reason", reason.strip()))


FieldParser = Callable[[str, Any], Any]
"""Takes the name of a field and the given value; returns the value to store, or raises BadUserInput."""


def _merge(
    kind: str, before: Document | None, given: Document, fields: Mapping[str, tuple[Any, FieldParser]]
) -> Document:
    problems = [f"A {kind} has no field `{name}`." for name in given if name not in fields]
    after: dict[str, Any] = {}
    for name, (default, parse) in fields.items():
        value = given.get(name, default if before is None else before[name])
        if value is REQUIRED:
            problems.append(f"`{name}` is required for a new {kind}.")
            continue
        try:
            after[name] = parse(name, value)
        except BadUserInput as problem:
            problems.append(problem.message)
    if problems:
        raise BadUserInput(f"{kind} {given.get('id')!s:.50}: {' '.join(problems)}")
    return after


def _text(max_length: int, pattern: re.Pattern[str] | None = None, *, empty: bool = False) -> FieldParser:
    def parse(name: str, value: Any) -> str:
        if not isinstance(value, str) or len(value) > max_length or not (empty or value.strip()):
            raise BadUserInput(f"`{name}` must be a text of at most {max_length} characters.")
        if not all(char.isprintable() or char in "\n" for char in value):
            raise BadUserInput(f"`{name}` must not contain control or invisible characters.")
        if pattern is not None and not pattern.fullmatch(value):
            raise BadUserInput(f"`{name}` must match {pattern.pattern}.")
        return value

    return parse


def _whole(minimum: int, maximum: int) -> FieldParser:
    def parse(name: str, value: Any) -> int:
        if type(value) is not int or not minimum <= value <= maximum:
            raise BadUserInput(f"`{name}` must be a whole number from {minimum} to {maximum}.")
        return value

    return parse


def _optional(parse: FieldParser) -> FieldParser:
    return lambda name, value: None if value is None else parse(name, value)


def _flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise BadUserInput(f"`{name}` must be true or false.")
    return value


def _one_of(enum: type[StrEnum]) -> FieldParser:
    def parse(name: str, value: Any) -> str:
        if value not in list(enum):
            raise BadUserInput(f"`{name}` must be one of {', '.join(enum)}.")
        return str(enum(value))

    return parse


def _periods(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(period, str) and period in list(Period) for period in value):
        raise BadUserInput(f"`{name}` must be a list of {', '.join(Period)}.")
    # The all-time board always exists, since the ledger is based on it.
    return [str(period) for period in Period if period in value or period is Period.ALL_TIME]


def _difficulties(max_points: int) -> FieldParser:
    points = _whole(1, max_points)

    def parse(name: str, value: Any) -> dict[str, int]:
        if not isinstance(value, Mapping) or len(value) > MAX_DIFFICULTIES:
            raise BadUserInput(f"`{name}` must map at most {MAX_DIFFICULTIES} difficulties to their points.")
        word = _text(MAX_ID, WORD)
        return {word(name, key): points(f"{name}.{key!s:.50}", worth) for key, worth in value.items()}

    return parse
