"""Run a `Broadcast` on the backend of the service, and listen to its channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from broadcaster import Broadcast, Event

from app.pubsub.channels.channel_connection import ConnectionTiming, Gap
from app.pubsub.channels.redis_backend import RedisBackend
from app.runtime import Runtime
from app.stores.redis_clients import SingleChannelServer
from tests.support.wait_until import TIMEOUT

QUICK = ConnectionTiming(
    poll_interval=0.02, ping_interval=0.1, silence_timeout=0.5, command_timeout=0.5, max_reconnect_delay=0.2
)


def backend_of(url: str, *, prefix: str = "", capacity: int = 10_000) -> RedisBackend:
    """Return a backend for the Redis at `url`, with short time-outs."""
    return RedisBackend(
        SingleChannelServer(url, timeout=0.5), Runtime(random=Random(1)), prefix=prefix, timing=QUICK, capacity=capacity
    )


@asynccontextmanager
async def running(url: str, *, prefix: str = "") -> AsyncIterator[tuple[Broadcast, RedisBackend]]:
    """Run a connected `Broadcast` and its backend during the block."""
    backend = backend_of(url, prefix=prefix)
    async with Broadcast(backend=backend) as broadcast, asyncio.TaskGroup() as group:
        task = group.create_task(backend.run())
        try:
            yield broadcast, backend
        finally:
            task.cancel()


class ChannelListener:
    """A subscription to one channel."""

    def __init__(self, broadcast: Broadcast, channel: str) -> None:
        self._subscription = broadcast.subscribe(channel)
        self.events: list[Event] = []

    async def __aenter__(self) -> ChannelListener:
        self._subscriber = await self._subscription.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._subscription.__aexit__(None, None, None)

    async def message(self) -> str:
        """Return the next message, and skip gaps before it."""
        while isinstance(event := await self._next(), Gap):
            pass
        return event.message

    async def gap(self) -> None:
        """Wait for the next gap, and skip messages before it."""
        while not isinstance(await self._next(), Gap):
            pass

    async def _next(self) -> Event:
        async with asyncio.timeout(TIMEOUT):
            event = await self._subscriber.get()
        self.events.append(event)
        return event
