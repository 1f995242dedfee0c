"""Scalars that are parsed more strictly than by the library."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from strawberry.schema.types.base_scalars import DateTimeDefinition


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
    parse_value=_instant,
    specified_by_url="https://scalars.graphql.org/andimarek/date-time",
)
"""Datetimes near year 1 or 9999 overflow when converted to UTC; reject them while parsing."""
