"""A wall clock that a test moves."""

from __future__ import annotations

from datetime import datetime, timedelta


class WallClock:
    """Stands still until it is moved. What is put into `first` is told before, each once."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.first: list[datetime] = []

    def __call__(self) -> datetime:
        return self.first.pop(0) if self.first else self.now

    def advance(self, seconds: float = 0, **more: float) -> None:
        """Let that much time pass, in the words of `timedelta`."""
        self.now += timedelta(seconds=seconds, **more)
