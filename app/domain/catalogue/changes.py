"""Changes of the catalogue: what an operator may write into it, and what becomes of it.

Categories and actions are written as documents: JSON objects with the names that the GraphQL schema gives their
fields. A change gives some of the fields; the others stay, or take their defaults in something new.
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
from app.domain.catalogue.catalogue import DEFAULT_CATEGORY, Operator, SortOrder
from app.domain.errors import BadUserInput

Document = Mapping[str, Any]

REQUIRED = object()
DAY = 86_400
NAME_MAX, DESCRIPTION_MAX, ID_MAX, REASON_MAX, DIFFICULTIES_MAX = 100, 1_000, 50, 500, 20
DAILY_LIMIT_MAX = 1_000
"""So many past completions are counted at most when one is judged."""

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class CatalogueSubject(StrEnum):
    """What is changed."""

    CATEGORY = "category"
    ACTION = "action"


@dataclass(frozen=True, slots=True)
class CatalogueLimits:
    """What this installation allows: the highest score, the most points of one action, a token's life in seconds."""

    score_cap: int
    points: int
    token_seconds: int


@dataclass(frozen=True, slots=True)
class Change:
    """One category or action as it was and as it is to be. `before` is None for a new one."""

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
        """Whether existing scores would have to be ordered or counted anew."""
        before = self.before
        return before is not None and any(before.get(key) != self.after.get(key) for key in ("sortOrder", "operator"))


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """A change that was made, as the audit has it. `actor_id` is None for the command line."""

    id: UUID
    change: Change
    actor_id: UUID | None
    actor_role: str
    reason: str
    at: datetime


def category_change(before: Document | None, given: Document, limits: CatalogueLimits) -> Change:
    """What `given` makes of a category. Raises BadUserInput, with all problems in its message."""
    fields = {
        "id": (REQUIRED, _text(ID_MAX, SLUG)),
        "name": (REQUIRED, _text(NAME_MAX)),
        "description": ("", _text(DESCRIPTION_MAX, empty=True)),
        "sortOrder": (SortOrder.HIGH_FIRST.value, _one_of(SortOrder)),
        "operator": (Operator.SUM.value, _one_of(Operator)),
        "scoreCap": (None, _optional(_whole(1, limits.score_cap))),
        "periods": ([period.value for period in Period], _periods),
        "enabled": (True, _flag),
    }
    return Change(CatalogueSubject.CATEGORY, before, _merge("category", before, given, fields))


def action_change(before: Document | None, given: Document, limits: CatalogueLimits) -> Change:
    """What `given` makes of an action. Raises BadUserInput, with all problems in its message.

    Whether its category exists is for the caller to see.
    """
    fields = {
        "id": (REQUIRED, _text(ID_MAX, WORD)),
        "name": (REQUIRED, _text(NAME_MAX)),
        "description": ("", _text(DESCRIPTION_MAX, empty=True)),
        "category": (DEFAULT_CATEGORY, _text(ID_MAX, SLUG)),
        "points": (REQUIRED, _whole(1, limits.points)),
        "difficulties": ({}, _difficulties(limits.points)),
        "repeatable": (True, _flag),
        # A token that expires before the action may be finished would never pay.
        "minDuration": (0, _whole(0, limits.token_seconds - 1)),
        "cooldown": (0, _whole(0, 366 * DAY)),
        "dailyLimit": (None, _optional(_whole(1, DAILY_LIMIT_MAX))),
        "enabled": (True, _flag),
    }
    return Change(CatalogueSubject.ACTION, before, _merge("action", before, given, fields))


def check_reason(reason: str) -> str:
    """`reason` trimmed. Raises BadUserInput for one that says nothing, or too much."""
    return str(_text(REASON_MAX)("reason", reason.strip()))


Parse = Callable[[str, Any], Any]
"""Takes a field's name and the value given; returns the value to store, or raises BadUserInput."""


def _merge(kind: str, before: Document | None, given: Document, fields: Mapping[str, tuple[Any, Parse]]) -> Document:
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


def _text(most: int, pattern: re.Pattern[str] | None = None, *, empty: bool = False) -> Parse:
    def parse(name: str, value: Any) -> str:
        if not isinstance(value, str) or len(value) > most or not (empty or value.strip()):
            raise BadUserInput(f"`{name}` must be a text of at most {most} characters.")
        if not all(char.isprintable() or char in "\n" for char in value):
            raise BadUserInput(f"`{name}` must not contain control or invisible characters.")
        if pattern is not None and not pattern.fullmatch(value):
            raise BadUserInput(f"`{name}` must match {pattern.pattern}.")
        return value

    return parse


def _whole(least: int, most: int) -> Parse:
    def parse(name: str, value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise BadUserInput(f"`{name}` must be a whole number from {least} to {most}.")
        return value

    return parse


def _optional(parse: Parse) -> Parse:
    return lambda name, value: None if value is None else parse(name, value)


def _flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise BadUserInput(f"`{name}` must be true or false.")
    return value


def _one_of(enum: type[StrEnum]) -> Parse:
    def parse(name: str, value: Any) -> str:
        if value not in list(enum):
            raise BadUserInput(f"`{name}` must be one of {', '.join(enum)}.")
        return str(enum(value))

    return parse


def _periods(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one in list(Period) for one in value):
        raise BadUserInput(f"`{name}` must be a list of {', '.join(Period)}.")
    # The ledger counts by the all-time board: it is always kept.
    return [str(period) for period in Period if period in value or period is Period.ALL_TIME]


def _difficulties(most_points: int) -> Parse:
    points = _whole(1, most_points)

    def parse(name: str, value: Any) -> dict[str, int]:
        if not isinstance(value, Mapping) or len(value) > DIFFICULTIES_MAX:
            raise BadUserInput(f"`{name}` must map at most {DIFFICULTIES_MAX} difficulties to their points.")
        word = _text(ID_MAX, WORD)
        return {
            word(name, key): points(f"{name}.{key!s:.50}", min_second_batch) for key, min_second_batch in value.items()
        }

    return parse
