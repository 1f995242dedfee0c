"""Custom scalars, and scalars that are parsed more strictly than by the library."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NewType

import strawberry
from graphql import GraphQLError, GraphQLScalarType
from strawberry.schema.types.base_scalars import DateTimeDefinition
from strawberry.types.scalar import ScalarDefinition

from app.domain.ledger.scoring import MAX_SCORE

if TYPE_CHECKING:
    Score = int
else:
    Score = NewType("Score", int)
"""The type of fields and arguments that are a score or a change of one."""


def _score(value: object) -> int:
    """Return a score, which a client may also send as `5.0`.

    Raises:
        GraphQLError: It is not a whole number, or is out of range.
    """
    number = int(value) if type(value) is float and value.is_integer() else value
    if type(number) is not int or abs(number) > MAX_SCORE:
        raise GraphQLError(f"Score must be a whole number from -{MAX_SCORE} to {MAX_SCORE}, but is {value!s:.50}.")
    return number


SCORE = strawberry.scalar(
    name="Score",
    description=(
        "A score, or a change of one: a JSON number without a fraction. Scores are from 0 to 9007199254740991 "
        "(2^53 - 1), changes also negative. All of them are exact in JavaScript."
    ),
    # The section on numbers names this range of integers as the one on which implementations agree.
    specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
    serialize=_score,
    parse_value=_score,
)
SCORE.implementation = GraphQLScalarType(
    SCORE.name,
    coerce_output_value=_score,
    coerce_input_value=_score,
    description=SCORE.description,
    specified_by_url=SCORE.specified_by_url,
    # The engine takes integers in this range as they are.
    extensions={"integers": (-MAX_SCORE, MAX_SCORE)},
)


def _instant(value: object) -> datetime:
    """Parse a datetime and convert it to UTC if it has a time zone.

    Raises:
        ValueError: It lies outside the years 1 to 9999 in UTC.
    """
    assert DateTimeDefinition.parse_value is not None
    instant: datetime = DateTimeDefinition.parse_value(value)
    try:
        return instant if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(
            f'Value cannot represent a DateTime: "{value}". It must be between the years 1 and 9999.'
        ) from None


DATE_TIME = replace(
    DateTimeDefinition,
    description="A date and time in ISO 8601 format with a time zone, for example `2026-01-31T12:00:00Z`. "
    "The service always returns UTC.",
    specified_by_url="https://scalars.graphql.org/andimarek/date-time",
    parse_value=_instant,
)
"""Datetimes near year 1 or 9999 overflow when converted to UTC; reject them while parsing."""

SCALARS: dict[object, ScalarDefinition] = {datetime: DATE_TIME, Score: SCORE}
"""The definition of each scalar by its Python type."""
