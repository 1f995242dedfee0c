"""Count the work that Python does, which is the same on every machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Steps:
    """Counts function calls, including those of built-in functions, while `counting`."""

    def __init__(self) -> None:
        self.number = 0

    @contextmanager
    def counting(self) -> Iterator[Steps]:
        """Count the function calls of this thread during the block."""
        before = sys.getprofile()
        sys.setprofile(self._count)
        try:
            yield self
        finally:
            sys.setprofile(before)

    def _count(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            self.number += 1


class LongestTurn:
    """Measures the largest number of function calls in one iteration of the event loop."""

    def __init__(self) -> None:
        self.steps = 0
        self.turns = 0

    async def __aenter__(self) -> LongestTurn:
        self._counter = Steps()
        self._counting = self._counter.counting()
        self._counting.__enter__()
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)
        self._task.cancel()
        self._counting.__exit__(None, None, None)

    async def _watch(self) -> None:
        before = self._counter.number
        while True:
            await asyncio.sleep(0)
            now = self._counter.number
            self.steps, self.turns = max(self.steps, now - before), self.turns + 1
            before = now
