"""Single flight: many who want the same thing at the same time cause one piece of work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Shares the result of a call by key, while it is under way and for `seconds` afterwards. Failures are not kept."""

    def __init__(self, seconds: float, monotonic: Callable[[], float], capacity: int = 1000) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._capacity = capacity
        self._calls: dict[Hashable, tuple[float, asyncio.Task[T]]] = {}

    async def get(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call` for `key`, perhaps of an earlier one. A cancelled waiter does not stop the others."""
        known = self._calls.get(key)
        if known is None or (known[1].done() and self._monotonic() >= known[0]):
            if len(self._calls) >= self._capacity:
                self._calls = {k: v for k, v in self._calls.items() if not v[1].done()}
            known = (0.0, asyncio.ensure_future(self._run(key, call)))
            self._calls[key] = known
        return await asyncio.shield(known[1])

    async def _run(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        try:
            result = await call()
        except BaseException:
            self._calls.pop(key, None)
            raise
        task = asyncio.current_task()
        assert task is not None
        self._calls[key] = (self._monotonic() + self._seconds, task)
        return result
