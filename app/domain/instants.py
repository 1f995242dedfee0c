"""Times as whole microseconds, which are exact; a float of seconds would be rounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=1024)
def to_micros(time: datetime) -> int:
    """Return the microseconds since the epoch. Cached, because the rows of one change have their time in common."""
    return (time - EPOCH) // MICROSECOND


def from_micros(raw: int) -> datetime:
    """Return the time that is `raw` microseconds after the epoch. Raises OverflowError after the year 9999."""
    return EPOCH + timedelta(microseconds=raw)
