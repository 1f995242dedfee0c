"""What a query is answered from memory."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.boards.board import Source
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.events import ProfileChanged, boards_channel
from app.pubsub.feed.timing import FeedTiming
from tests.support.boards.in_memory_boards import profile
from tests.support.wait_until import TIMEOUT
from tests.unit.pubsub.hub_fixture import Stage, staged
from tests.unit.pubsub.manual_clock import settle

ALL_TIME = Period.ALL_TIME


async def read(stage: Stage, limit: int = 10, offset: int = 0) -> list[int]:
    """The scores of a page that is read now if need be."""
    page = await stage.hub.fresh_page("global", ALL_TIME, Slice(offset, limit))
    assert page is not None
    return [entry.score for entry in page.page.entries]


async def test_memory_knows_nothing_until_somebody_asked() -> None:
    async with staged() as stage:
        assert stage.hub.page("global", ALL_TIME, Slice(0, 10)) is None
        assert stage.hub.feeds == 0
        assert await read(stage) == []
        assert stage.hub.page("global", ALL_TIME, Slice(0, 10)) is not None


async def test_a_page_is_cut_out_of_the_head() -> None:
    async with staged() as stage:
        for user in range(150):
            stage.boards.put(stage.board, user, user)
        await read(stage)
        page = stage.hub.page("global", ALL_TIME, Slice(10, 5))
        assert page is not None
        assert [entry.rank for entry in page.page.entries] == [11, 12, 13, 14, 15]
        assert (page.page.offset, page.page.total_users, page.page.source) == (10, 150, Source.MEMORY)


async def test_what_lies_beyond_the_head_is_left_to_the_stores() -> None:
    async with staged() as stage:
        await read(stage)
        assert stage.hub.page("global", ALL_TIME, Slice(100, 1)) is None
        assert await stage.hub.fresh_page("global", ALL_TIME, Slice(50, 51)) is None


async def test_a_hundred_who_miss_together_share_one_reading() -> None:
    async with staged() as stage:
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(read(stage))
        assert stage.hub.counters.reads == 1


async def test_memory_answers_for_as_long_as_nothing_is_announced() -> None:
    async with staged() as stage:
        await read(stage)
        for _ in range(100):
            await stage.clock.advance(0.1)
            assert stage.hub.page("global", ALL_TIME, Slice(0, 10)) is not None
        assert stage.hub.counters.reads == 1


@pytest.mark.parametrize("word", ["moved", "renamed", "gap"])
async def test_while_what_was_heard_is_read_memory_does_not_give_what_was_before(word: str) -> None:
    async with staged() as stage:
        stage.boards.put(stage.board, 1, 10)
        await read(stage)
        await stage.clock.advance(1.0)
        stage.boards.hold = asyncio.Event()
        moved = stage.boards.put(stage.board, 1, 20)
        match word:
            case "moved":
                stage.hub.notify_changed([moved])
            case "renamed":
                await stage.notice(ProfileChanged(profile(1).id))
            case "gap":
                stage.wire.lose(boards_channel("global"))
        await stage.clock.advance(0.2)
        assert stage.hub.page("global", ALL_TIME, Slice(0, 10)) is None
        assert stage.hub.current_head("global", ALL_TIME) is None
        mine = asyncio.create_task(read(stage))
        await settle()
        stage.boards.hold.set()
        await settle()
        assert await mine == [20]
        assert stage.hub.page("global", ALL_TIME, Slice(0, 10)) is not None


async def test_who_wrote_reads_what_they_wrote() -> None:
    async with staged() as stage:
        await read(stage)
        stage.hub.notify_changed([stage.boards.put(stage.board, 1, 10)])
        assert stage.hub.page("global", ALL_TIME, Slice(0, 10)) is None
        mine = asyncio.create_task(read(stage))
        await stage.clock.advance(0.02)
        assert mine.done()
        assert await mine == [10]


async def test_what_moved_below_the_head_leaves_memory_as_it_is() -> None:
    async with staged() as stage:
        for user in range(101):
            stage.boards.put(stage.board, user, 1000 - user)
        await read(stage)
        stage.hub.notify_changed([stage.boards.put(stage.board, 200, 1)])
        assert stage.hub.page("global", ALL_TIME, Slice(0, 100)) is not None
        await stage.clock.advance(1.1)
        page = stage.hub.page("global", ALL_TIME, Slice(0, 100))
        assert page is not None
        assert page.page.total_users == 102


async def test_a_reading_that_began_before_the_write_does_not_answer_who_came_after_it() -> None:
    async with staged() as stage:
        stage.boards.hold = asyncio.Event()
        early = asyncio.create_task(read(stage))
        await settle()
        stage.hub.notify_changed([stage.boards.put(stage.board, 1, 10)])
        late = asyncio.create_task(read(stage))
        await settle()
        stage.boards.hold.set()
        await stage.clock.advance(0.1)
        assert (await early, await late) == ([], [10])


async def test_queries_on_a_busy_board_cost_fifty_readings_a_second_at_most() -> None:
    async with staged() as stage:
        await read(stage)
        before = stage.hub.counters.reads
        queries = []
        for turn in range(500):
            stage.hub.notify_changed([stage.boards.put(stage.board, 1, turn)])
            queries.append(asyncio.create_task(read(stage)))
            await stage.clock.advance(0.002)
        await stage.clock.advance(0.1)
        scores = [score for (score,) in await asyncio.gather(*queries)]
        assert scores == sorted(scores)
        assert all(score >= turn for turn, score in enumerate(scores))
        assert stage.hub.counters.reads - before <= 52


async def test_memory_is_not_believed_when_it_was_not_confirmed_for_a_while() -> None:
    async with staged() as stage:
        await read(stage)
        stage.boards.hold = asyncio.Event()
        stage.hub.invalidate()  # a reading that hangs
        await stage.clock.advance(1.6)
        assert stage.hub.page("global", ALL_TIME, Slice(0, 10)) is None
        stage.boards.hold.set()
        await settle()


async def test_while_postgres_stands_in_its_page_is_good_for_a_second() -> None:
    async with staged() as stage:
        stage.boards.redis = False
        await read(stage)
        for _ in range(20):
            await stage.clock.advance(0.1)
            page = stage.hub.page("global", ALL_TIME, Slice(0, 10))
            assert page is not None
            assert page.page.source is Source.POSTGRES
        assert stage.hub.counters.reads <= 4


async def test_while_nothing_answers_the_last_page_is_given_as_stale() -> None:
    async with staged() as stage:
        stage.boards.put(stage.board, 1, 10)
        await read(stage)
        stage.boards.redis = stage.boards.postgres = False
        await stage.clock.advance(1.1)
        page = stage.hub.page("global", ALL_TIME, Slice(0, 10))
        assert page is not None
        assert page.page.stale
        assert await read(stage) == [10]
        stage.boards.redis = True
        await stage.clock.advance(1.1)
        page = stage.hub.page("global", ALL_TIME, Slice(0, 10))
        assert page is not None
        assert not page.page.stale


async def test_a_query_that_nothing_can_answer_fails_and_does_not_wait() -> None:
    async with staged() as stage:
        stage.boards.redis = stage.boards.postgres = False
        for _ in range(3):
            with pytest.raises(ServiceUnavailable):
                await read(stage)
        assert stage.hub.counters.reads == 1


async def test_a_reader_with_a_fault_fails_its_query_and_the_feed_lives_on() -> None:
    async with staged() as stage:
        stage.boards.names = None  # type: ignore[assignment]
        stage.boards.put(stage.board, 1, 10)
        with pytest.raises(ServiceUnavailable):
            await read(stage)
        stage.boards.names = {}
        await stage.clock.advance(1.1)
        assert await read(stage) == [10]


async def test_one_who_gives_up_waiting_harms_nobody() -> None:
    async with staged() as stage:
        stage.boards.hold = asyncio.Event()
        gone, patient = asyncio.create_task(read(stage)), asyncio.create_task(read(stage))
        await settle()
        gone.cancel()
        stage.boards.hold.set()
        await settle()
        assert await patient == []


async def test_the_page_of_a_new_window_is_not_that_of_the_old_one() -> None:
    async with staged() as stage:
        today = stage.board_of(Period.DAILY)
        stage.boards.put(today, 1, 10)
        await stage.hub.fresh_page("global", Period.DAILY, Slice(0, 10))
        await stage.clock.advance(0.1)
        midnight = (today.window.ends_at or stage.clock.now()) - stage.clock.now()
        stage.clock.jump(midnight.total_seconds())
        assert stage.hub.page("global", Period.DAILY, Slice(0, 10)) is None
        page = await stage.hub.fresh_page("global", Period.DAILY, Slice(0, 10))
        assert page is not None
        assert (page.page.board.window, page.page.entries) == (today.window.next, ())


async def test_when_the_hub_stops_whoever_waits_is_told() -> None:
    async with staged() as stage:
        stage.boards.hold = asyncio.Event()
        waiting = asyncio.create_task(read(stage))
        await settle()
    with pytest.raises(ServiceUnavailable):
        await waiting


async def test_a_query_does_not_wait_for_ever_for_a_hub_that_is_not_running() -> None:
    async with staged(FeedTiming(read_timeout=0.01)) as stage:
        stage.stop()
        with pytest.raises(ServiceUnavailable):
            await read(stage)


async def test_a_hub_that_is_run_again_goes_on_with_its_watchers() -> None:
    async with staged() as stage:
        await stage.rerun()
        watcher = await stage.watch()
        await stage.rerun()
        await stage.clock.advance(0.5)
        await stage.score(1, 10)
        await settle()
        assert [len(update.page.entries) for update in watcher.seen] == [0, 1]


async def test_what_was_announced_just_before_the_hub_stopped_is_not_forgotten() -> None:
    async with staged() as stage:
        await stage.score(1, 10)
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        stage.boards.hold = asyncio.Event()
        stage.boards.names[1] = "Ann"
        await stage.notice(ProfileChanged(profile(1).id))
        await stage.rerun()  # the reading that would have shown the name is lost
        stage.boards.hold.set()
        await stage.clock.advance(0.2)
        assert watcher.last.page.entries[0].user.username == "Ann"


async def test_a_reader_that_swallows_a_cancellation_does_not_keep_the_hub_from_stopping() -> None:
    async with staged() as stage:
        stage.boards.deaf = True
        stage.boards.hold = asyncio.Event()
        waiting = asyncio.create_task(read(stage))
        await settle()
        async with asyncio.timeout(TIMEOUT):
            await stage.rerun()
        assert await waiting == []
