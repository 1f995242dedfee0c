"""Deadlines of many sockets on one timer."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol


class Sleeper(Protocol):
    """Something with a deadline. `slot` belongs to `Deadlines`; None means that none is set."""

    slot: int | None

    def due(self, now: float) -> float | None:
        """The deadline has come. Returns the next one, or None when there is none any more."""


class Deadlines:
    """Wakes each sleeper at its deadline, at most `resolution` seconds late and never early.

    A timer per socket and purpose (init, ping, idle, expiry) costs more memory than all else a quiet socket has, and
    nothing here needs precision. One timer runs while there is any deadline, and none otherwise.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, resolution: float = 0.25) -> None:
        self._loop = loop
        self._resolution = resolution
        self._slots: dict[int, set[Sleeper]] = {}
        self._passed = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many sleepers have a deadline."""
        return sum(map(len, self._slots.values()))

    def set(self, sleeper: Sleeper, when: float) -> None:
        """Wake `sleeper` at `when`, in seconds of the loop's clock, instead of any earlier arrangement."""
        slot = math.ceil(when / self._resolution)
        if self._timer is None:
            self._passed = math.floor(self._loop.time() / self._resolution)
            self._arm()
        slot = max(slot, self._passed + 1)
        if slot == sleeper.slot:
            return
        self.drop(sleeper)
        sleeper.slot = slot
        self._slots.setdefault(slot, set()).add(sleeper)

    def drop(self, sleeper: Sleeper) -> None:
        """Forget its deadline, if it has one."""
        if sleeper.slot is not None:
            slot = self._slots[sleeper.slot]
            slot.discard(sleeper)
            if not slot:
                del self._slots[sleeper.slot]
            sleeper.slot = None

    def _arm(self) -> None:
        self._timer = self._loop.call_at((self._passed + 1) * self._resolution, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        for slot in range(self._passed + 1, math.floor(now / self._resolution) + 1):
            self._passed = slot
            woken = self._slots.pop(slot, set())
            for sleeper in woken:
                sleeper.slot = None
            for sleeper in woken:
                self._wake(sleeper, now)
        self._timer = None
        if self._slots:
            self._arm()

    def _wake(self, sleeper: Sleeper, now: float) -> None:
        try:
            later = sleeper.due(now)
        except Exception as error:
            # The timer must outlive what one of its many sleepers does.
            self._loop.call_exception_handler({"message": "A deadline failed", "exception": error})
        else:
            if later is not None:
                self.set(sleeper, later)
