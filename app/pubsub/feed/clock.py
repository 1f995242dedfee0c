"""The clock of feeds: time and timers, injected so that tests control both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from app.runtime import Runtime


class Timer(Protocol):
    """A scheduled callback."""

    def cancel(self) -> None:
        """Do not call the callback."""
        ...


class Clock(Protocol):
    """Wall-clock time, monotonic time and timers."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC, which decides which window is open."""
        ...

    def monotonic(self) -> float:
        """Return the seconds of a clock that never goes back."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the event loop after `seconds`."""
        ...


class SystemClock:
    """The wall clock of a runtime, with the monotonic time and the timers of the event loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def now(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return self._runtime.clock()

    def monotonic(self) -> float:
        """Return the seconds of the event loop's clock."""
        return asyncio.get_running_loop().time()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the event loop after `seconds`."""
        return asyncio.get_running_loop().call_later(seconds, callback)
