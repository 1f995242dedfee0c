"""What a query is answered from memory."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from app.domain.boards.board import Source
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.events import ProfileChanged, boards_channel
from app.pubsub.feed.timing import FeedTiming
from tests.support.boards.in_memory_boards import profile
from tests.support.wait_until import TIMEOUT
from tests.unit.pubsub.hub_fixture import HubFixture, running_hub
from tests.unit.pubsub.manual_clock import settle

ALL_TIME = Period.ALL_TIME


async def read(hub_fixture: HubFixture, limit: int = 10, offset: int = 0) -> list[int]:
    """The scores of a page that is read now if need be."""
    page = await hub_fixture.hub.fresh_page("global", ALL_TIME, Slice(offset, limit))
    assert page is not None
    return [entry.score for entry in page.page.entries]


async def test_memory_knows_nothing_until_somebody_asked() -> None:
    async with running_hub() as hub_fixture:
        assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10)) is None
        assert hub_fixture.hub.feeds == 0
        assert await read(hub_fixture) == []
        assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10)) is not None


async def test_a_page_is_cut_out_of_the_head() -> None:
    async with running_hub() as hub_fixture:
        for user in range(150):
            hub_fixture.boards.put(hub_fixture.board, user, user)
        await read(hub_fixture)
        page = hub_fixture.hub.page("global", ALL_TIME, Slice(10, 5))
        assert page is not None
        assert [entry.rank for entry in page.page.entries] == [11, 12, 13, 14, 15]
        assert (page.page.offset, page.page.total_users, page.page.source) == (10, 150, Source.MEMORY)


async def test_what_lies_beyond_the_head_is_left_to_the_stores() -> None:
    async with running_hub() as hub_fixture:
        await read(hub_fixture)
        assert hub_fixture.hub.page("global", ALL_TIME, Slice(100, 1)) is None
        assert await hub_fixture.hub.fresh_page("global", ALL_TIME, Slice(50, 51)) is None


async def test_a_hundred_who_miss_together_share_one_reading() -> None:
    async with running_hub() as hub_fixture:
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(read(hub_fixture))
        assert hub_fixture.hub.counters.reads == 1


async def test_memory_answers_for_as_long_as_nothing_is_announced() -> None:
    async with running_hub() as hub_fixture:
        await read(hub_fixture)
        for _ in range(100):
            await hub_fixture.clock.advance(0.1)
            assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10)) is not None
        assert hub_fixture.hub.counters.reads == 1


@pytest.mark.parametrize("word", ["moved", "renamed", "gap"])
async def test_while_what_was_heard_is_read_memory_does_not_give_what_was_before(word: str) -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.put(hub_fixture.board, 1, 10)
        await read(hub_fixture)
        await hub_fixture.clock.advance(1.0)
        hub_fixture.boards.hold = asyncio.Event()
        moved = hub_fixture.boards.put(hub_fixture.board, 1, 20)
        match word:
            case "moved":
                hub_fixture.hub.notify_changed([moved])
            case "renamed":
                await hub_fixture.notice(ProfileChanged(profile(1).id))
            case "gap":
                hub_fixture.backend.lose(boards_channel("global"))
        await hub_fixture.clock.advance(0.2)
        assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10)) is None
        assert hub_fixture.hub.current_head("global", ALL_TIME) is None
        mine = asyncio.create_task(read(hub_fixture))
        await settle()
        hub_fixture.boards.hold.set()
        await settle()
        assert await mine == [20]
        assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10)) is not None


async def test_who_wrote_reads_what_they_wrote() -> None:
    async with running_hub() as hub_fixture:
        await read(hub_fixture)
        hub_fixture.hub.notify_changed([hub_fixture.boards.put(hub_fixture.board, 1, 10)])
        assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10)) is None
        mine = asyncio.create_task(read(hub_fixture))
        await hub_fixture.clock.advance(0.02)
        assert mine.done()
        assert await mine == [10]


async def test_what_moved_below_the_head_leaves_memory_as_it_is() -> None:
    async with running_hub() as hub_fixture:
        for user in range(101):
            hub_fixture.boards.put(hub_fixture.board, user, 1000 - user)
        await read(hub_fixture)
        hub_fixture.hub.notify_changed([hub_fixture.boards.put(hub_fixture.board, 200, 1)])
        assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 100)) is not None
        await hub_fixture.clock.advance(1.1)
        page = hub_fixture.hub.page("global", ALL_TIME, Slice(0, 100))
        assert page is not None
        assert page.page.total_users == 102


async def test_a_reading_that_began_before_the_write_does_not_answer_who_came_after_it() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.hold = asyncio.Event()
        early = asyncio.create_task(read(hub_fixture))
        await settle()
        hub_fixture.hub.notify_changed([hub_fixture.boards.put(hub_fixture.board, 1, 10)])
        late = asyncio.create_task(read(hub_fixture))
        await settle()
        hub_fixture.boards.hold.set()
        await hub_fixture.clock.advance(0.1)
        assert (await early, await late) == ([], [10])


async def test_queries_on_a_busy_board_cost_fifty_readings_a_second_at_most() -> None:
    async with running_hub() as hub_fixture:
        await read(hub_fixture)
        before = hub_fixture.hub.counters.reads
        queries = []
        for turn in range(500):
            hub_fixture.hub.notify_changed([hub_fixture.boards.put(hub_fixture.board, 1, turn)])
            queries.append(asyncio.create_task(read(hub_fixture)))
            await hub_fixture.clock.advance(0.002)
        await hub_fixture.clock.advance(0.1)
        scores = [score for (score,) in await asyncio.gather(*queries)]
        assert scores == sorted(scores)
        assert all(score >= turn for turn, score in enumerate(scores))
        assert hub_fixture.hub.counters.reads - before <= 52


async def test_memory_is_not_believed_when_it_was_not_confirmed_for_a_while() -> None:
    async with running_hub() as hub_fixture:
        await read(hub_fixture)
        hub_fixture.boards.hold = asyncio.Event()
        hub_fixture.hub.invalidate()  # a reading that hangs
        await hub_fixture.clock.advance(1.6)
        assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10)) is None
        hub_fixture.boards.hold.set()
        await settle()


async def test_while_postgres_stands_in_its_page_is_good_for_a_second() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.redis = False
        await read(hub_fixture)
        for _ in range(20):
            await hub_fixture.clock.advance(0.1)
            page = hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10))
            assert page is not None
            assert page.page.source is Source.POSTGRES
        assert hub_fixture.hub.counters.reads <= 4


async def test_while_postgres_stands_in_an_own_write_is_read_without_waiting_for_the_next_second() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.redis = False
        watcher = await hub_fixture.watch()
        for score in range(1, 10):
            hub_fixture.boards.put(hub_fixture.board, 1, score)
            hub_fixture.hub.reread_own_writes([hub_fixture.board])
            assert hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10)) is None
            await hub_fixture.clock.advance(FeedTiming().coalesce_seconds)
            assert watcher.last.page.entries[0].score == score
        reads = hub_fixture.hub.counters.reads
        hub_fixture.hub.invalidate()  # What is not its own may wait.
        await hub_fixture.clock.advance(FeedTiming().coalesce_seconds)
        assert hub_fixture.hub.counters.reads == reads


async def test_while_postgres_stands_in_an_own_write_is_not_hidden_by_the_read_that_is_under_way() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.redis = False
        hub_fixture.boards.put(hub_fixture.board, 1, 10)
        assert await read(hub_fixture) == [10]
        hub_fixture.boards.hold = asyncio.Event()
        hub_fixture.boards.put(hub_fixture.board, 1, 20)
        hub_fixture.hub.reread_own_writes([hub_fixture.board])
        await hub_fixture.clock.advance(FeedTiming().coalesce_seconds)
        query = asyncio.create_task(read(hub_fixture))
        await settle()
        assert not query.done()
        hub_fixture.boards.hold.set()
        assert await query == [20]


async def test_a_copy_whose_version_fell_three_times_is_not_believed_any_more() -> None:
    async with running_hub() as hub_fixture:
        for score in (10, 20, 30):
            await hub_fixture.score(1, score)
        await hub_fixture.watch()
        hub_fixture.boards.rewind(hub_fixture.board, 1)
        with capture_logs() as logs:
            await hub_fixture.clock.advance(2 * FeedTiming().poll_interval)
        assert {(line["event"], "exc_info" in line) for line in logs} == {("board_went_back", False)}
        assert hub_fixture.boards.regressions == []
        await hub_fixture.clock.advance(2 * FeedTiming().poll_interval)
        assert {version.number for version in hub_fixture.boards.regressions} == {1}


async def test_while_nothing_answers_the_last_page_is_given_as_stale() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.put(hub_fixture.board, 1, 10)
        await read(hub_fixture)
        hub_fixture.boards.redis = hub_fixture.boards.postgres = False
        await hub_fixture.clock.advance(1.1)
        page = hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10))
        assert page is not None
        assert page.page.stale
        assert await read(hub_fixture) == [10]
        hub_fixture.boards.redis = True
        await hub_fixture.clock.advance(1.1)
        page = hub_fixture.hub.page("global", ALL_TIME, Slice(0, 10))
        assert page is not None
        assert not page.page.stale


async def test_a_query_that_nothing_can_answer_fails_and_does_not_wait() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.redis = hub_fixture.boards.postgres = False
        for _ in range(3):
            with pytest.raises(ServiceUnavailable):
                await read(hub_fixture)
        assert hub_fixture.hub.counters.reads == 1


async def test_a_reader_with_a_fault_fails_its_query_and_the_feed_lives_on() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.names = None  # type: ignore[assignment]
        hub_fixture.boards.put(hub_fixture.board, 1, 10)
        with pytest.raises(ServiceUnavailable):
            await read(hub_fixture)
        hub_fixture.boards.names = {}
        await hub_fixture.clock.advance(1.1)
        assert await read(hub_fixture) == [10]


async def test_one_who_gives_up_waiting_harms_nobody() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.hold = asyncio.Event()
        gone, patient = asyncio.create_task(read(hub_fixture)), asyncio.create_task(read(hub_fixture))
        await settle()
        gone.cancel()
        hub_fixture.boards.hold.set()
        await settle()
        assert await patient == []


async def test_the_page_of_a_new_window_is_not_that_of_the_old_one() -> None:
    async with running_hub() as hub_fixture:
        today = hub_fixture.board_of(Period.DAILY)
        hub_fixture.boards.put(today, 1, 10)
        await hub_fixture.hub.fresh_page("global", Period.DAILY, Slice(0, 10))
        await hub_fixture.clock.advance(0.1)
        midnight = (today.window.ends_at or hub_fixture.clock.now()) - hub_fixture.clock.now()
        hub_fixture.clock.jump(midnight.total_seconds())
        assert hub_fixture.hub.page("global", Period.DAILY, Slice(0, 10)) is None
        page = await hub_fixture.hub.fresh_page("global", Period.DAILY, Slice(0, 10))
        assert page is not None
        assert (page.page.board.window, page.page.entries) == (today.window.next, ())


async def test_pending_reads_end_with_an_error_when_the_hub_stops() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.hold = asyncio.Event()
        waiting = asyncio.create_task(read(hub_fixture))
        await settle()
    with pytest.raises(ServiceUnavailable):
        await waiting


async def test_a_query_does_not_wait_for_ever_for_a_hub_that_is_not_running() -> None:
    async with running_hub(FeedTiming(read_timeout=0.01)) as hub_fixture:
        hub_fixture.stop()
        with pytest.raises(ServiceUnavailable):
            await read(hub_fixture)


async def test_a_hub_that_is_run_again_goes_on_with_its_watchers() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.rerun()
        watcher = await hub_fixture.watch()
        await hub_fixture.rerun()
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(1, 10)
        await settle()
        assert [len(update.page.entries) for update in watcher.seen] == [0, 1]


async def test_what_was_announced_just_before_the_hub_stopped_is_not_forgotten() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        hub_fixture.boards.hold = asyncio.Event()
        hub_fixture.boards.names[1] = "Ann"
        await hub_fixture.notice(ProfileChanged(profile(1).id))
        await hub_fixture.rerun()  # the reading that would have shown the name is lost
        hub_fixture.boards.hold.set()
        await hub_fixture.clock.advance(0.2)
        assert watcher.last.page.entries[0].user.username == "Ann"


async def test_a_reader_that_swallows_a_cancellation_does_not_keep_the_hub_from_stopping() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.deaf = True
        hub_fixture.boards.hold = asyncio.Event()
        waiting = asyncio.create_task(read(hub_fixture))
        await settle()
        async with asyncio.timeout(TIMEOUT):
            await hub_fixture.rerun()
        assert await waiting == []
