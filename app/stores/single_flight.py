"""Single flight: equal calls that overlap share one execution."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from app.runtime import Runtime

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Shares the result of a call by key, while it is running and for a time afterwards. Failures are not kept."""

    def __init__(self, ttl_seconds: float, runtime: Runtime, max_keys: int = 1000) -> None:
        """Create an instance without calls.

        Args:
            ttl_seconds: How long a result is shared after the call has ended.
            runtime: The source of time.
            max_keys: The number of keys from which on results of ended calls are dropped.
        """
        self._ttl_seconds = ttl_seconds
        self._monotonic = runtime.monotonic
        self._max_keys = max_keys
        self._calls: dict[Hashable, tuple[float, asyncio.Task[T]]] = {}

    async def get(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `call`, or of an earlier call with the same key.

        A caller that is cancelled does not cancel the call for the others.

        Raises:
            Exception: Any exception that the call raises.
        """
        known = self._calls.get(key)
        if known is None or (known[1].done() and self._monotonic() >= known[0]):
            if len(self._calls) >= self._max_keys:
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
        self._calls[key] = (self._monotonic() + self._ttl_seconds, task)
        return result
