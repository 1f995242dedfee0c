"""What a watcher of a board sees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.domain.boards.board import BoardUpdate, Page, Source, UpdateKind
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.pubsub.channels.events import ProfileChanged
from tests.support.boards.in_memory_boards import profile
from tests.unit.pubsub.hub_fixture import staged
from tests.unit.pubsub.manual_clock import settle

TEN_TO_MIDNIGHT = datetime(2026, 11, 20, 23, 59, 50, tzinfo=UTC)


def scores(page: Page) -> list[int]:
    return [entry.score for entry in page.entries]


def kinds(updates: Sequence[BoardUpdate]) -> list[str]:
    return [update.kind.value for update in updates]


async def test_the_first_message_is_a_snapshot_of_as_many_as_were_asked_for() -> None:
    async with staged() as stage:
        for user in range(20):
            await stage.score(user, user)
        watcher = await stage.watch(limit=3)
        assert kinds(watcher.seen) == ["SNAPSHOT"]
        assert scores(watcher.last.page) == [19, 18, 17]
        assert watcher.last.page.total_users == 20
        assert watcher.last.changes == ()


async def test_an_empty_board_has_a_snapshot_too() -> None:
    async with staged() as stage:
        watcher = await stage.watch()
        assert kinds(watcher.seen) == ["SNAPSHOT"]
        assert watcher.last.page.entries == ()


async def test_the_first_change_after_a_quiet_time_is_told_at_once() -> None:
    async with staged() as stage:
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        await stage.score(1, 10)
        await settle()
        assert kinds(watcher.seen) == ["SNAPSHOT", "UPDATE"]
        assert [(c.user.id, c.old_rank, c.new_rank) for c in watcher.last.changes] == [(profile(1).id, None, 1)]


async def test_changes_within_a_tenth_of_a_second_are_told_as_one() -> None:
    async with staged() as stage:
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        await stage.score(1, 10)
        await settle()
        for user in range(2, 8):
            await stage.score(user, user)
            await stage.clock.advance(0.01)
        assert kinds(watcher.seen) == ["SNAPSHOT", "UPDATE"]
        await stage.clock.advance(0.04)
        assert kinds(watcher.seen) == ["SNAPSHOT", "UPDATE", "UPDATE"]
        assert len(watcher.last.changes) == 6


async def test_a_busy_board_is_read_ten_times_a_second_however_busy() -> None:
    async with staged() as stage:
        await stage.watch()
        await stage.clock.advance(0.5)
        before = stage.hub.counters.reads
        for turn in range(500):
            await stage.score(turn % 7, turn)
            await stage.clock.advance(0.002)
        assert stage.hub.counters.reads - before <= 11


async def test_nothing_is_told_that_cannot_be_seen() -> None:
    async with staged() as stage:
        for user in range(6):
            await stage.score(user, 100 - user)
        few, many = await stage.watch(limit=3), await stage.watch(limit=6)
        await stage.clock.advance(1)
        await stage.score(5, 96)
        await stage.clock.advance(1)
        assert (len(few.seen), len(many.seen)) == (1, 2)


async def test_all_who_watch_share_one_reading() -> None:
    async with staged() as stage:
        await stage.score(1, 1)
        watchers = [await stage.watch(limit=limit) for limit in (1, 10, 10, 100)]
        await stage.clock.advance(0.5)
        before = stage.hub.counters.reads
        await stage.score(2, 2)
        await settle()
        assert stage.hub.counters.reads == before + 1
        assert all(len(watcher.seen) == 2 for watcher in watchers)


async def test_a_herd_of_a_thousand_costs_two_readings_in_a_second() -> None:
    async with staged() as stage:
        await stage.score(1, 1)
        watchers = []
        for _ in range(20):
            watchers += [stage.show(stage.hub.watch("global", Period.ALL_TIME, Slice(0, 10))) for _ in range(50)]
            await stage.clock.advance(0.05)
        assert all(kinds(watcher.seen) == ["SNAPSHOT"] for watcher in watchers)
        assert stage.hub.counters.reads <= 2


async def test_a_slow_watcher_gets_the_newest_state_and_all_that_changed_since_their_last() -> None:
    async with staged() as stage:
        await stage.score(1, 10)
        watcher = await stage.watch()
        watcher.ready.clear()
        for score in (20, 30, 40):
            await stage.clock.advance(0.2)
            await stage.score(1, score)
        await stage.score(2, 15)
        await stage.clock.advance(0.2)
        watcher.ready.set()
        await settle()
        # The one that was under way when the watcher stopped, and the newest; nothing in between.
        assert scores(watcher.last.page) == [40, 15]
        assert len(watcher.seen) <= 3
        assert sum(change.score_delta for update in watcher.seen for change in update.changes) == 30


async def test_a_lost_notification_costs_a_second_at_most() -> None:
    async with staged() as stage:
        watcher = await stage.watch()
        await stage.clock.advance(3.3)
        await stage.score(1, 10, announce=False)
        await stage.clock.advance(1)
        assert scores(watcher.last.page) == [10]


async def test_a_quiet_board_is_checked_and_not_read() -> None:
    async with staged() as stage:
        await stage.watch()
        await stage.clock.advance(20.5)
        assert stage.hub.counters.reads == 1
        assert 20 <= stage.hub.counters.polls <= 22


async def test_after_a_gap_the_board_is_looked_at_at_once() -> None:
    async with staged() as stage:
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        await stage.score(1, 10, announce=False)
        stage.wire.lose("boards:global")
        await settle()
        assert scores(watcher.last.page) == [10]


async def test_an_announcement_that_makes_no_sense_is_taken_for_a_gap() -> None:
    async with staged() as stage:
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        await stage.score(1, 10, announce=False)
        await stage.broadcast.publish("boards:global", "\x00")
        await settle()
        assert scores(watcher.last.page) == [10]
        assert stage.hub.counters.unreadable == 1


async def test_the_same_announcement_twice_is_read_once() -> None:
    async with staged() as stage:
        await stage.watch()
        await stage.clock.advance(0.5)
        moved = await stage.score(1, 10)
        await settle()
        before = stage.hub.counters.reads
        await stage.announce(moved)
        stage.hub.notify_changed([moved])
        await stage.clock.advance(0.3)
        assert stage.hub.counters.reads == before


async def test_a_new_name_is_told_at_once_where_it_is_shown() -> None:
    async with staged() as stage:
        await stage.score(1, 10)
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        before = stage.hub.counters.reads
        stage.boards.names[1] = "Ann"
        await stage.notice(ProfileChanged(profile(2).id))
        assert stage.hub.counters.reads == before
        await stage.notice(ProfileChanged(profile(1).id))
        assert watcher.last.page.entries[0].user.username == "Ann"


async def test_an_older_version_is_never_shown_again() -> None:
    async with staged() as stage:
        for score in range(1, 6):
            await stage.score(1, score)
        watcher = await stage.watch()
        stage.boards.rewind(stage.board, 2)
        await stage.clock.advance(3)
        assert {update.page.version.number for update in watcher.seen} == {5}
        assert watcher.last.page.stale
        for score in range(6, 11):
            await stage.score(1, score)
        await stage.clock.advance(3)
        assert not watcher.last.page.stale
        assert scores(watcher.last.page) == [10]


async def test_a_rebuilt_board_starts_again_with_a_snapshot() -> None:
    async with staged() as stage:
        await stage.score(1, 10)
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        await stage.announce(stage.boards.rebuild(stage.board, "two"))
        await settle()
        assert kinds(watcher.seen) == ["SNAPSHOT", "SNAPSHOT"]
        assert watcher.last.page.version.epoch == "two"


async def test_categories_and_periods_do_not_disturb_each_other() -> None:
    async with staged() as stage:
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        before = stage.hub.counters.reads
        await stage.score(1, 10, board=stage.board_of(Period.DAILY))
        await stage.score(1, 10, board=stage.board_of(Period.ALL_TIME, "arcade"))
        await stage.clock.advance(0.4)
        assert stage.hub.counters.reads == before
        assert len(watcher.seen) == 1


async def test_while_redis_is_away_postgres_is_read_once_a_second() -> None:
    async with staged() as stage:
        await stage.score(1, 10)
        watcher = await stage.watch()
        stage.boards.redis = False
        await stage.clock.advance(1.5)
        before = stage.hub.counters.reads
        for turn in range(100):
            stage.hub.notify_changed([stage.boards.put(stage.board, 2, 20 + turn)])
            await stage.clock.advance(0.1)
        assert 9 <= stage.hub.counters.reads - before <= 11
        assert watcher.last.page.source is Source.POSTGRES
        assert scores(watcher.last.page)[0] >= 110
        stage.boards.redis = True
        stage.wire.lose("boards:global")
        await stage.clock.advance(0.2)
        assert watcher.last.page.source is Source.REDIS
        assert scores(watcher.last.page)[0] == 119


async def test_while_nothing_answers_watchers_are_told_once_and_then_all_goes_on() -> None:
    async with staged() as stage:
        await stage.score(1, 10)
        watcher = await stage.watch()
        stage.boards.redis = stage.boards.postgres = False
        await stage.clock.advance(60)
        assert kinds(watcher.seen) == ["SNAPSHOT", "UPDATE"]
        assert watcher.last.page.stale
        assert scores(watcher.last.page) == [10]
        stage.boards.redis = stage.boards.postgres = True
        await stage.score(1, 20)
        await stage.clock.advance(1.1)
        assert not watcher.last.page.stale
        assert scores(watcher.last.page) == [20]


async def test_whoever_comes_while_nothing_answers_gets_the_snapshot_when_something_does() -> None:
    async with staged() as stage:
        stage.boards.redis = stage.boards.postgres = False
        watcher = await stage.watch()
        await stage.clock.advance(5)
        assert watcher.seen == []
        assert not watcher.ended
        stage.boards.postgres = True
        await stage.clock.advance(1.1)
        assert kinds(watcher.seen) == ["SNAPSHOT"]


async def test_the_end_of_a_window_is_shown_and_then_the_next_one() -> None:
    async with staged(start=TEN_TO_MIDNIGHT) as stage:
        today = stage.board_of(Period.DAILY)
        await stage.score(1, 10, board=today)
        watcher = await stage.watch(period=Period.DAILY)
        await stage.clock.advance(9.99)
        await stage.score(2, 20, board=today, announce=False)
        await stage.clock.advance(0.1)
        tomorrow = stage.board_of(Period.DAILY)
        await stage.score(3, 5, board=tomorrow)
        await stage.score(1, 30, board=today, announce=False)  # was in flight when the window ended
        await stage.clock.advance(0.5)
        assert [update.page.board for update in watcher.seen][-2:] == [today, tomorrow]
        assert kinds(watcher.seen)[-2:] == ["UPDATE", "SNAPSHOT"]
        assert scores(watcher.seen[-2].page) == [30, 20]
        assert scores(watcher.seen[-1].page) == [5]
        await stage.score(3, 6, board=tomorrow)
        await settle()
        assert (watcher.last.kind, scores(watcher.last.page)) == (UpdateKind.UPDATE, [6])


async def test_the_last_page_of_a_window_is_told_even_when_nothing_changed() -> None:
    async with staged(start=TEN_TO_MIDNIGHT) as stage:
        today = stage.board_of(Period.DAILY)
        await stage.score(1, 10, board=today)
        watcher = await stage.watch(period=Period.DAILY)
        await stage.clock.advance(11)
        assert [update.page.board for update in watcher.seen] == [today, today, stage.board_of(Period.DAILY)]
        assert watcher.seen[1].changes == ()


async def test_a_feed_that_nobody_uses_is_released_with_its_channel() -> None:
    async with staged() as stage:
        watchers = [await stage.watch() for _ in range(3)]
        assert (stage.hub.feeds, stage.hub.watchers) == (1, 3)
        assert stage.wire.channels == {"notices", "boards:global"}
        for watcher in watchers:
            await watcher.leave()
        assert (stage.hub.feeds, stage.hub.watchers) == (1, 0)
        await stage.clock.advance(31)
        assert stage.hub.feeds == 0
        assert stage.wire.channels == {"notices"}


async def test_a_board_can_be_watched_again_after_its_feed_was_released() -> None:
    async with staged() as stage:
        await (await stage.watch()).leave()
        await stage.clock.advance(31)
        await stage.score(1, 10)
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        await stage.score(1, 11)
        await settle()
        assert [scores(update.page) for update in watcher.seen] == [[10], [11]]


async def test_closing_the_hub_ends_all_who_watch_and_all_who_come_later() -> None:
    async with staged() as stage:
        watcher = await stage.watch()
        stage.hub.close()
        await settle()
        assert watcher.ended
        late = await stage.watch()
        assert late.ended
        assert late.seen == []
