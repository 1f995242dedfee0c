"""Hubs of two processes over a real Redis."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.players.milestones import Milestone, MilestoneKind
from app.pubsub.channels.events import CatalogueChanged, MilestoneReached, Notice, NoticesLost
from app.pubsub.feed.clock import SystemClock
from app.pubsub.feed.timing import FeedTiming
from app.runtime import Runtime
from tests.support.boards.hub_processes import announce, first, hub_process, until_top_is, watch
from tests.support.boards.in_memory_boards import BIRTH, MemoryBoards, profile
from tests.support.wait_until import until

ONLY_NUDGES = FeedTiming(poll_interval=60, max_age=90)
"""A hub that notices nothing by itself."""

BOARD = board_of("global", Period.ALL_TIME, BIRTH)


@pytest.fixture
def prefix() -> str:
    """Channels know no databases: every test has names of its own."""
    return f"test:{uuid4()}:"


async def test_what_a_script_announces_reaches_the_watchers_of_every_process(redis_url: str, prefix: str) -> None:
    boards = MemoryBoards(SystemClock(Runtime()))
    async with (
        Redis.from_url(redis_url) as redis,
        hub_process(redis_url, boards, prefix=prefix, timing=ONLY_NUDGES) as one,
        hub_process(redis_url, boards, prefix=prefix, timing=ONLY_NUDGES) as two,
        aclosing(watch(one)) as here,
        aclosing(watch(two)) as there,
    ):
        for updates in (here, there):
            assert (await first(updates)).page.entries == ()
        await until(lambda: one.hub.counters.gaps + two.hub.counters.gaps == 2)
        for score in (10, 20, 30):
            await announce(redis, boards.put(BOARD, 1, score), prefix=prefix)
            for updates in (here, there):
                assert (await first(updates)).page.entries[0].score == score
        assert one.hub.counters.unreadable == 0


async def test_a_change_between_the_first_reading_and_the_subscription_is_not_missed(
    redis_url: str, prefix: str
) -> None:
    boards = MemoryBoards(SystemClock(Runtime()))
    async with (
        hub_process(redis_url, boards, prefix=prefix, timing=ONLY_NUDGES) as one,
        aclosing(watch(one)) as updates,
    ):
        assert (await first(updates)).page.entries == ()
        boards.put(BOARD, 1, 10)  # announced to nobody: the channel is not open yet
        await until_top_is(updates, 10)


async def test_notices_milestones_and_the_probe_go_through_redis(redis_url: str, prefix: str) -> None:
    boards = MemoryBoards(SystemClock(Runtime()))
    async with (
        hub_process(redis_url, boards, prefix=prefix) as one,
        hub_process(redis_url, boards, prefix=prefix) as two,
    ):
        heard: list[Notice] = []
        two.notices.listen(heard.append)
        await until(lambda: one.notices.losses + two.notices.losses == 2)
        async with aclosing(two.hub.watch_milestones()) as milestones:
            waiting = asyncio.create_task(first(milestones))
            await until(lambda: two.hub.watchers == 1)
            await one.notices.publish(CatalogueChanged())
            reached = Milestone(profile(1), "global", MilestoneKind.TOP_TEN, BIRTH)
            await one.notices.publish(MilestoneReached(reached))
            assert await waiting == reached
        assert heard == [NoticesLost(), CatalogueChanged(), MilestoneReached(reached)]
        await one.notices.probe("here I am")


async def test_a_thousand_who_leave_abruptly_leave_nothing_behind(redis_url: str, prefix: str) -> None:
    boards = MemoryBoards(SystemClock(Runtime()))
    async with hub_process(redis_url, boards, prefix=prefix, timing=FeedTiming(idle_timeout=0.2)) as one:
        await until(one.backend.healthy.is_set)
        tasks_before = len(asyncio.all_tasks())
        generators = [watch(one) for _ in range(1000)]
        readers = [asyncio.create_task(first(updates)) for updates in generators]
        await asyncio.gather(*readers)
        readers = [asyncio.create_task(first(updates)) for updates in generators]
        assert one.hub.watchers == 1000
        await asyncio.sleep(0)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await until(lambda: one.hub.watchers == 0)
        await until(lambda: one.hub.feeds == 0)
        await until(lambda: len(asyncio.all_tasks()) == tasks_before)
