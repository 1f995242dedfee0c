"""Times as whole microseconds, which are exact; a float of seconds would be rounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Return the microseconds since the epoch."""
    return (time - EPOCH) // MICROSECOND


def from_micros(raw: int) -> datetime:
    """Return the time that is `raw` microseconds after the epoch. Raises OverflowError after the year 9999."""
    return EPOCH + timedelta(microseconds=raw)
