"""A wall clock that tests set."""

from __future__ import annotations

from datetime import datetime, timedelta


class WallClock:
    """Says what it was told, until it is told something else. `after` answers in turn come first."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.first: list[datetime] = []

    def __call__(self) -> datetime:
        return self.first.pop(0) if self.first else self.now

    def advance(self, **time: float) -> datetime:
        """Lets that much time pass, in the words of `timedelta`; returns the time then."""
        self.now += timedelta(**time)
        return self.now
