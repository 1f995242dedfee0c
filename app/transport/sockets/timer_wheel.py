"""A timer wheel: the deadlines of many sockets on one timer of the event loop."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol


class Timer(Protocol):
    """An object with a deadline. `bucket` is set by `TimerWheel`; None means that there is no deadline."""

    bucket: int | None

    def on_expiry(self, now: float) -> float | None:
        """Handle the deadline. Return the next one, or None."""


class TimerWheel:
    """Calls each timer at its deadline, at most `resolution` seconds late and never early.

    A timer of the event loop per socket and purpose (init, ping, idle, expiry) costs more memory than all else of a
    quiet socket, and no deadline needs precision. One timer runs while there is any deadline, and none otherwise.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, resolution: float = 0.25) -> None:
        self._loop = loop
        self._resolution = resolution
        self._buckets: dict[int, set[Timer]] = {}
        self._last_bucket = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return how many timers have a deadline."""
        return sum(map(len, self._buckets.values()))

    def set(self, timer: Timer, when: float) -> None:
        """Set the deadline of `timer` to `when`, in seconds of the loop's clock."""
        bucket = math.ceil(when / self._resolution)
        if self._timer is None:
            self._last_bucket = math.floor(self._loop.time() / self._resolution)
            self._arm()
        bucket = max(bucket, self._last_bucket + 1)
        if bucket == timer.bucket:
            return
        self.cancel(timer)
        timer.bucket = bucket
        self._buckets.setdefault(bucket, set()).add(timer)

    def cancel(self, timer: Timer) -> None:
        """Remove the deadline of `timer`, if it has one."""
        if timer.bucket is not None:
            bucket = self._buckets[timer.bucket]
            bucket.discard(timer)
            if not bucket:
                del self._buckets[timer.bucket]
            timer.bucket = None

    def _arm(self) -> None:
        self._timer = self._loop.call_at((self._last_bucket + 1) * self._resolution, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        for bucket in range(self._last_bucket + 1, math.floor(now / self._resolution) + 1):
            self._last_bucket = bucket
            expired = self._buckets.pop(bucket, set())
            for timer in expired:
                timer.bucket = None
            for timer in expired:
                self._expire(timer, now)
        self._timer = None
        if self._buckets:
            self._arm()

    def _expire(self, timer: Timer, now: float) -> None:
        try:
            later = timer.on_expiry(now)
        except Exception as error:
            # An exception of one timer must not stop the others.
            self._loop.call_exception_handler({"message": "A deadline failed", "exception": error})
        else:
            if later is not None:
                self.set(timer, later)
