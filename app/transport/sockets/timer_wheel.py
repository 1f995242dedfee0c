"""Deadlines of many sockets on one timer."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol


class Timer(Protocol):
    """Something with a deadline. `bucket` belongs to `TimerWheel`; None means that none is set."""

    bucket: int | None

    def on_expiry(self, now: float) -> float | None:
        """The deadline has come. Returns the next one, or None when there is none any more."""


class TimerWheel:
    """Wakes each sleeper at its deadline, at most `resolution` seconds late and never early.

    A timer per socket and purpose (init, ping, idle, expiry) costs more memory than all else a quiet socket has, and
    nothing here needs precision. One timer runs while there is any deadline, and none otherwise.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, resolution: float = 0.25) -> None:
        self._loop = loop
        self._resolution = resolution
        self._slots: dict[int, set[Timer]] = {}
        self._passed = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many sleepers have a deadline."""
        return sum(map(len, self._slots.values()))

    def set(self, timer: Timer, when: float) -> None:
        """Wake `timer` at `when`, in seconds of the loop's clock, instead of any earlier arrangement."""
        bucket = math.ceil(when / self._resolution)
        if self._timer is None:
            self._passed = math.floor(self._loop.time() / self._resolution)
            self._arm()
        bucket = max(bucket, self._passed + 1)
        if bucket == timer.bucket:
            return
        self.cancel(timer)
        timer.bucket = bucket
        self._slots.setdefault(bucket, set()).add(timer)

    def cancel(self, timer: Timer) -> None:
        """Forget its deadline, if it has one."""
        if timer.bucket is not None:
            bucket = self._slots[timer.bucket]
            bucket.discard(timer)
            if not bucket:
                del self._slots[timer.bucket]
            timer.bucket = None

    def _arm(self) -> None:
        self._timer = self._loop.call_at((self._passed + 1) * self._resolution, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        for bucket in range(self._passed + 1, math.floor(now / self._resolution) + 1):
            self._passed = bucket
            woken = self._slots.pop(bucket, set())
            for timer in woken:
                timer.bucket = None
            for timer in woken:
                self._expire(timer, now)
        self._timer = None
        if self._slots:
            self._arm()

    def _expire(self, timer: Timer, now: float) -> None:
        try:
            later = timer.on_expiry(now)
        except Exception as error:
            # The timer must outlive what one of its many sleepers does.
            self._loop.call_exception_handler({"message": "A deadline failed", "exception": error})
        else:
            if later is not None:
                self.set(timer, later)
