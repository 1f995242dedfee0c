"""Scalars that are read with more care than the library takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from strawberry.schema.types.base_scalars import DateTimeDefinition


def _instant(value: object) -> datetime:
    """In UTC, where it says its time zone. Raises ValueError for what lies outside the years 1 to 9999 there."""
    assert DateTimeDefinition.parse_value is not None
    instant: datetime = DateTimeDefinition.parse_value(value)
    try:
        return instant if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f'Value cannot represent a DateTime: "{value}". It is out of range.') from None


DATE_TIME = replace(DateTimeDefinition, parse_value=_instant)
"""An instant of the first or last day of the calendar is none in UTC: it must not get as far as the arithmetic."""
