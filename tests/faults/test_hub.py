"""Hubs while Redis dies, freezes and comes back."""

from __future__ import annotations

from contextlib import aclosing

from redis.asyncio import Redis

from app.domain.boards.board import Source, board_of
from app.domain.boards.periods import Period
from app.pubsub.feed.clock import SystemClock
from app.runtime import Runtime
from tests.support.boards.hub_processes import announce, first, hub_process, until_top_is, watch
from tests.support.boards.in_memory_boards import BIRTH, MemoryBoards
from tests.support.stores import BreakableServer

BOARD = board_of("global", Period.ALL_TIME, BIRTH)


async def test_watchers_of_two_processes_see_every_stage_of_a_restart_of_redis(redis_server: BreakableServer) -> None:
    boards = MemoryBoards(SystemClock(Runtime()))
    async with (
        hub_process(redis_server.url, boards) as one,
        hub_process(redis_server.url, boards) as two,
        aclosing(watch(one)) as here,
        aclosing(watch(two)) as there,
    ):
        watchers = (here, there)
        for updates in watchers:
            await first(updates)
        redis_server.kill()
        boards.redis = False
        boards.put(BOARD, 1, 10)
        for updates in watchers:
            assert (await until_top_is(updates, 10)).page.source is Source.POSTGRES
        await redis_server.start()
        boards.redis = True
        boards.rebuild(BOARD, "after the restart")
        boards.put(BOARD, 1, 20)
        for updates in watchers:
            assert (await until_top_is(updates, 20)).page.version.epoch == "after the restart"
        async with Redis.from_url(redis_server.url) as redis:
            await announce(redis, boards.put(BOARD, 1, 30))
        for updates in watchers:
            await until_top_is(updates, 30)


async def test_watchers_see_changes_while_redis_is_frozen_and_afterwards(redis_server: BreakableServer) -> None:
    boards = MemoryBoards(SystemClock(Runtime()))
    async with hub_process(redis_server.url, boards) as one, aclosing(watch(one)) as updates:
        await first(updates)
        redis_server.freeze()
        boards.redis = False
        boards.put(BOARD, 1, 10)
        await until_top_is(updates, 10)
        redis_server.thaw()
        boards.redis = True
        boards.put(BOARD, 1, 20)
        await until_top_is(updates, 20)
