"""Run the hubs of several processes on one real Redis, with boards in memory that all of them read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from broadcaster import Broadcast
from redis.asyncio import Redis

from app.domain.boards.board import BoardUpdate
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.pubsub.channels.events import BoardMoved, boards_channel
from app.pubsub.channels.notices import Notices
from app.pubsub.channels.redis_backend import RedisBackend
from app.pubsub.feed.board_reader import BoardReader
from app.pubsub.feed.clock import SystemClock
from app.pubsub.feed.timing import FeedTiming
from app.pubsub.hub import Hub
from app.runtime import Runtime
from tests.support.boards.channels import backend_of
from tests.support.wait_until import TIMEOUT

U = TypeVar("U")

ANNOUNCE = """
local moves = {{ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5]}}
return redis.call('SPUBLISH', ARGV[1], cjson.encode({boards = moves}))
"""
"""A script that publishes a change as the script of the board index does: from inside Redis."""


@dataclass(frozen=True)
class HubProcess:
    """The hub of one process and what it uses."""

    hub: Hub
    notices: Notices
    backend: RedisBackend
    broadcast: Broadcast


@asynccontextmanager
async def hub_process(
    url: str, reader: BoardReader, *, prefix: str = "", timing: FeedTiming | None = None
) -> AsyncIterator[HubProcess]:
    """Run a hub during the block."""
    backend = backend_of(url, prefix=prefix)
    async with Broadcast(backend=backend) as broadcast, asyncio.TaskGroup() as group:
        notices = Notices(broadcast)
        hub = Hub(reader, broadcast, notices, clock=SystemClock(Runtime()), timing=timing)
        tasks = [group.create_task(each) for each in (backend.run(), notices.run(), hub.run())]
        try:
            yield HubProcess(hub, notices, backend, broadcast)
        finally:
            for task in tasks:
                task.cancel()


async def announce(redis: Redis, moved: BoardMoved, *, prefix: str = "") -> None:
    """Publish a change by a script, as the writer of a board does."""
    category, window = moved.board.split("/")
    version = moved.version
    top = int(moved.top_moved)
    await redis.eval(ANNOUNCE, 0, f"{prefix}{boards_channel(category)}", window, version.number, top, version.epoch)


async def first(updates: AsyncGenerator[U, None]) -> U:
    """Return the next item of an iterator."""
    async with asyncio.timeout(TIMEOUT):
        return await anext(updates)


async def until_top_is(updates: AsyncGenerator[BoardUpdate, None], score: int) -> BoardUpdate:
    """Return the first update on which the leader has `score`."""
    while True:
        update = await first(updates)
        if update.page.entries and update.page.entries[0].score == score:
            return update


def watch(process: HubProcess, limit: int = 10) -> AsyncGenerator[BoardUpdate, None]:
    """Subscribe to the all-time board of the default category."""
    return process.hub.watch("global", Period.ALL_TIME, Slice(0, limit))
