"""Instants as whole microseconds: exact, where a float of seconds would round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=1024)
def micros(instant: datetime) -> int:
    """Return the microseconds since the epoch. Cached, because the rows of one change have their time in common."""
    return (instant - EPOCH) // MICROSECOND


def instant(raw: int) -> datetime:
    """The inverse of `micros`."""
    return EPOCH + timedelta(microseconds=raw)
