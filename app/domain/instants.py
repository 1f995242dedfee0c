"""Instants as whole microseconds: exact, where a float of seconds would round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(instant: datetime) -> int:
    """Microseconds since the epoch."""
    return (instant - EPOCH) // MICROSECOND


def instant(raw: int) -> datetime:
    """The inverse of `micros`."""
    return EPOCH + timedelta(microseconds=raw)
