"""Mailboxes: a feed puts states in, a subscriber takes them out."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestValue(Generic[T]):
    """Holds the newest state for one subscriber: a state that was not taken in time is replaced, never queued.

    Iteration waits for the next state, and ends once the mailbox is closed and empty, or with the error it failed with.
    """

    __slots__ = ("_failure", "_full", "_ready", "_state", "closed", "shows_total")

    def __init__(self, *, shows_total: bool = False) -> None:
        """Create an empty mailbox; with `shows_total` its subscriber shows the number of users on the board."""
        self.closed = False
        self.shows_total = shows_total
        self._failure: Exception | None = None
        self._full = False
        self._state: T
        self._ready = asyncio.Event()

    def put(self, state: T) -> None:
        """Hold `state`, in place of one that was not taken yet."""
        if not self.closed:
            self._state = state
            self._full = True
            self._ready.set()

    def put_back(self, state: T) -> None:
        """Hold `state` again, which was taken, unless a newer one is there."""
        if not self._full:
            self.put(state)

    def close(self) -> None:
        """Accept no further state; the one in the mailbox can still be taken."""
        self.closed = True
        self._ready.set()

    def fail(self, error: Exception) -> None:
        """Accept no further state, and raise `error` from the iteration in place of one that was not taken."""
        self._failure = error
        self.close()

    def __aiter__(self) -> LatestValue[T]:
        return self

    async def __anext__(self) -> T:
        while self._failure is not None or not self._full:
            if self._failure is not None:
                raise self._failure
            if self.closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        self._full = False
        state = self._state
        del self._state
        return state


class DropOldestQueue(Generic[T]):
    """Holds the newest `capacity` events for one subscriber; a full queue drops the oldest.

    For events that happen once and have no state to read again. Iteration ends once the queue is closed and empty.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._closed = False
        self._events: deque[T] = deque(maxlen=capacity)
        self._ready = asyncio.Event()

    def put(self, event: T) -> None:
        """Add `event`."""
        self._events.append(event)
        self._ready.set()

    def close(self) -> None:
        """Accept no further event; those in the queue can still be taken."""
        self._closed = True
        self._ready.set()

    def __aiter__(self) -> DropOldestQueue[T]:
        return self

    async def __anext__(self) -> T:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._events.popleft()
