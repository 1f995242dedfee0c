"""Time as an argument."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Timer(Protocol):
    """Something that will happen unless it is cancelled."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What a feed knows of time: the hour, a steady count of seconds, and an alarm."""

    def now(self) -> datetime:
        """The wall clock, in UTC: decides which window is open."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start; never goes back."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Calls `callback` on the event loop after `seconds`."""
        ...


class SystemClock:
    """The event loop's count of seconds and, unless another is given, the machine's wall clock."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)
