"""Time that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MAX_TURNS = 10_000
"""Turns of the loop after which something that never comes to rest is taken for a fault."""


async def settle() -> None:
    """Run the loop until nothing is scheduled but what waits for time to pass.

    Raises:
        AssertionError: The loop does not come to rest.
    """
    # No public interface tells whether a loop has callbacks to run.
    scheduled = asyncio.get_running_loop()._ready
    for _ in range(MAX_TURNS):
        await asyncio.sleep(0)
        if not scheduled:
            return
    raise AssertionError(f"The loop still has work after {MAX_TURNS} turns.")


@dataclass(order=True)
class Alarm:
    at: float
    number: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """A `Clock` whose alarms go off in order while `advance` moves it."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed = 0.0
        self._alarms: list[Alarm] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Alarm:
        alarm = Alarm(self._elapsed + seconds, next(self._numbers), callback)
        heapq.heappush(self._alarms, alarm)
        return alarm

    def jump(self, seconds: float) -> None:
        """Moves on without anything having happened yet."""
        self._elapsed += seconds

    async def advance(self, seconds: float) -> None:
        """Moves on by `seconds`, stopping at every alarm on the way until all has settled."""
        target = self._elapsed + seconds
        await settle()
        while self._alarms and self._alarms[0].at <= target:
            alarm = heapq.heappop(self._alarms)
            if not alarm.cancelled:
                self._elapsed = max(self._elapsed, alarm.at)
                alarm.callback()
                await settle()
        self._elapsed = target
        await settle()
