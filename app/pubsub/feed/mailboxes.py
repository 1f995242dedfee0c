"""Where a feed leaves what its watchers take."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestValue(Generic[T]):
    """Holds the newest state for one watcher: what was not taken in time is replaced, never queued.

    Iterating waits for the next state and ends once the slot is closed and empty.
    """

    __slots__ = ("_full", "_ready", "_state", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._full = False
        self._state: T
        self._ready = asyncio.Event()

    def put(self, state: T) -> None:
        """Offers `state` in place of one that was not taken yet."""
        if not self.closed:
            self._state = state
            self._full = True
            self._ready.set()

    def close(self) -> None:
        """Nothing comes after what is in the slot now."""
        self.closed = True
        self._ready.set()

    def __aiter__(self) -> LatestValue[T]:
        return self

    async def __anext__(self) -> T:
        while not self._full:
            if self.closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        self._full = False
        state = self._state
        del self._state
        return state


class DropOldestQueue(Generic[T]):
    """Holds the newest `capacity` occurrences for one watcher; the oldest give way.

    For what happens once and has no state to read again. Iterating ends once the mailbox is closed and empty.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._closed = False
        self._held: deque[T] = deque(maxlen=capacity)
        self._ready = asyncio.Event()

    def put(self, occurrence: T) -> None:
        """Adds `occurrence`, at the cost of the oldest one when there is no room."""
        self._held.append(occurrence)
        self._ready.set()

    def close(self) -> None:
        """Nothing comes any more."""
        self._closed = True
        self._ready.set()

    def __aiter__(self) -> DropOldestQueue[T]:
        return self

    async def __anext__(self) -> T:
        while not self._held:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._held.popleft()
