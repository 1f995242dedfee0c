"""A wall clock that a test sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class WallClock:
    """A clock that stands still until it is advanced. The times in `first` are returned before, each once."""

    def __init__(self, now: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)) -> None:
        self.now = now
        self.first: list[datetime] = []

    def __call__(self) -> datetime:
        """Return the time."""
        return self.first.pop(0) if self.first else self.now

    def advance(self, seconds: float = 0, **more: float) -> None:
        """Advance the clock by a `timedelta` of these arguments."""
        self.now += timedelta(seconds=seconds, **more)
