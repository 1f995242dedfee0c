"""A shared execution as an asynchronous iterator, for transports that write at the pace of their reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from app.execution import Operation
from app.pubsub.feed.view_budget import NO_OWNER, Owner
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.multiplexing.payload import Payload, conflate


class MultiplexedStream(AsyncIterator[bytes]):
    """The encoded execution results of one subscriber of a shared operation.

    It begins with a snapshot. A reader that is slower than the source gets the newest state, not a queue. A failed
    execution gives one last body that has `errors` and no `data`. Close the stream with `aclose`.
    """

    def __init__(
        self,
        multiplexer: SubscriptionMultiplexer,
        operation: Operation,
        variables: Mapping[str, Any] | None,
        owner: Owner = NO_OWNER,
    ) -> None:
        """Subscribe for `owner`. Raises RequestError when the variables do not fit."""
        self._counters = multiplexer.counters
        self._pending: tuple[Payload, ...] = ()
        self._failure: bytes | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self._group = multiplexer.join(operation, variables, self, owner)

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next result. Raises StopAsyncIteration when the source has ended or the stream was closed."""
        while not self._pending:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                return failure
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        payload, *rest = self._pending
        self._pending = tuple(rest)
        return payload.body

    async def aclose(self) -> None:
        """Leave the shared execution and end the iteration. May be repeated."""
        self._pending, self._failure = (), None
        self._group.leave(self)
        self.complete()

    def next(self, payload: Payload) -> None:
        """Keep a state until it is read, in place of older ones."""
        pending = conflate(self._pending, payload)
        self._counters.superseded += len(self._pending) + 1 - len(pending)
        self._pending = pending
        self._changed.set()

    def fail(self, body: bytes) -> None:
        """End with `body` as the last result."""
        self._failure = body
        self.complete()

    def complete(self) -> None:
        """End when all has been read."""
        self._ended = True
        self._changed.set()
