"""Instants as whole microseconds: exact, where a float of seconds would round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(from_micros: datetime) -> int:
    """Microseconds since the epoch."""
    return (from_micros - EPOCH) // MICROSECOND


def from_micros(raw: int) -> datetime:
    """The inverse of `to_micros`."""
    return EPOCH + timedelta(microseconds=raw)
