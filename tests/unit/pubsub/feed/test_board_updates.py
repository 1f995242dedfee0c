"""What a watcher of a board sees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.domain.boards.board import BoardUpdate, Page, Source, UpdateKind
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.pubsub.channels.events import ProfileChanged, boards_channel
from tests.support.boards.in_memory_boards import profile
from tests.unit.pubsub.hub_fixture import running_hub
from tests.unit.pubsub.manual_clock import settle

TEN_TO_MIDNIGHT = datetime(2026, 11, 20, 23, 59, 50, tzinfo=UTC)


def scores(page: Page) -> list[int]:
    return [entry.score for entry in page.entries]


def kinds(updates: Sequence[BoardUpdate]) -> list[str]:
    return [update.kind.value for update in updates]


async def test_the_first_message_is_a_snapshot_of_as_many_as_were_asked_for() -> None:
    async with running_hub() as hub_fixture:
        for user in range(20):
            await hub_fixture.score(user, user)
        watcher = await hub_fixture.watch(limit=3)
        assert kinds(watcher.seen) == ["SNAPSHOT"]
        assert scores(watcher.last.page) == [19, 18, 17]
        assert watcher.last.page.total_users == 20
        assert watcher.last.changes == ()


async def test_an_empty_board_has_a_snapshot_too() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        assert kinds(watcher.seen) == ["SNAPSHOT"]
        assert watcher.last.page.entries == ()


async def test_the_first_change_after_a_quiet_time_is_told_at_once() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(1, 10)
        await settle()
        assert kinds(watcher.seen) == ["SNAPSHOT", "UPDATE"]
        assert [(c.user.id, c.old_rank, c.new_rank) for c in watcher.last.changes] == [(profile(1).id, None, 1)]


async def test_changes_within_a_tenth_of_a_second_are_told_as_one() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(1, 10)
        await settle()
        for user in range(2, 8):
            await hub_fixture.score(user, user)
            await hub_fixture.clock.advance(0.01)
        assert kinds(watcher.seen) == ["SNAPSHOT", "UPDATE"]
        await hub_fixture.clock.advance(0.04)
        assert kinds(watcher.seen) == ["SNAPSHOT", "UPDATE", "UPDATE"]
        assert len(watcher.last.changes) == 6


async def test_an_update_names_the_time_of_the_first_change_that_it_shows() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        assert watcher.last.changed_at is None
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(1, 10)
        await settle()
        assert watcher.last.changed_at == hub_fixture.clock.now().timestamp()
        first_change = hub_fixture.clock.now().timestamp()
        for user in (2, 3):
            await hub_fixture.score(user, user)
            await hub_fixture.clock.advance(0.06)
        assert len(watcher.seen) == 3
        assert watcher.last.changed_at == first_change


async def test_a_busy_board_is_read_ten_times_a_second_however_busy() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        before = hub_fixture.hub.counters.reads
        for turn in range(500):
            await hub_fixture.score(turn % 7, turn)
            await hub_fixture.clock.advance(0.002)
        assert hub_fixture.hub.counters.reads - before <= 11


async def test_nothing_is_told_that_cannot_be_seen() -> None:
    async with running_hub() as hub_fixture:
        for user in range(6):
            await hub_fixture.score(user, 100 - user)
        few, many = await hub_fixture.watch(limit=3), await hub_fixture.watch(limit=6)
        await hub_fixture.clock.advance(1)
        await hub_fixture.score(5, 96)
        await hub_fixture.clock.advance(1)
        assert (len(few.seen), len(many.seen)) == (1, 2)


async def test_a_tie_is_told_although_ranks_and_scores_on_the_page_stay() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 20)
        await hub_fixture.score(2, 10)
        watcher = await hub_fixture.watch(limit=2)
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(3, 10)
        await hub_fixture.clock.advance(2.0)
        assert [entry.tied_with for entry in watcher.last.page.entries] == [0, 1]


async def test_all_who_watch_share_one_reading() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 1)
        watchers = [await hub_fixture.watch(limit=limit) for limit in (1, 10, 10, 100)]
        await hub_fixture.clock.advance(0.5)
        before = hub_fixture.hub.counters.reads
        await hub_fixture.score(2, 2)
        await settle()
        assert hub_fixture.hub.counters.reads == before + 1
        assert all(len(watcher.seen) == 2 for watcher in watchers)


async def test_a_herd_of_a_thousand_costs_two_readings_in_a_second() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 1)
        watchers = []
        for _ in range(20):
            watchers += [
                hub_fixture.show(hub_fixture.hub.watch("global", Period.ALL_TIME, Slice(0, 10))) for _ in range(50)
            ]
            await hub_fixture.clock.advance(0.05)
        assert all(kinds(watcher.seen) == ["SNAPSHOT"] for watcher in watchers)
        assert hub_fixture.hub.counters.reads <= 2


async def test_a_slow_watcher_gets_the_newest_state_and_all_that_changed_since_their_last() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await hub_fixture.watch()
        watcher.ready.clear()
        for score in (20, 30, 40):
            await hub_fixture.clock.advance(0.2)
            await hub_fixture.score(1, score)
        await hub_fixture.score(2, 15)
        await hub_fixture.clock.advance(0.2)
        watcher.ready.set()
        await settle()
        # The one that was under way when the watcher stopped, and the newest; nothing in between.
        assert scores(watcher.last.page) == [40, 15]
        assert len(watcher.seen) <= 3
        assert sum(change.score_delta for update in watcher.seen for change in update.changes) == 30


async def test_a_lost_notification_costs_a_second_at_most() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(3.3)
        await hub_fixture.score(1, 10, announce=False)
        await hub_fixture.clock.advance(1)
        assert scores(watcher.last.page) == [10]


async def test_a_quiet_board_is_checked_and_not_read() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.watch()
        await hub_fixture.clock.advance(20.5)
        assert hub_fixture.hub.counters.reads == 1
        assert 20 <= hub_fixture.hub.counters.polls <= 22


async def test_after_a_gap_the_board_is_looked_at_at_once() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(1, 10, announce=False)
        hub_fixture.backend.lose(boards_channel("global"))
        await settle()
        assert scores(watcher.last.page) == [10]


async def test_an_announcement_that_makes_no_sense_is_taken_for_a_gap() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(1, 10, announce=False)
        await hub_fixture.broadcast.publish(boards_channel("global"), "\x00")
        await settle()
        assert scores(watcher.last.page) == [10]
        assert hub_fixture.hub.counters.unreadable == 1


async def test_the_same_announcement_twice_is_read_once() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        moved = await hub_fixture.score(1, 10)
        await settle()
        before = hub_fixture.hub.counters.reads
        await hub_fixture.announce(moved)
        hub_fixture.hub.notify_changed([moved])
        await hub_fixture.clock.advance(0.3)
        assert hub_fixture.hub.counters.reads == before


async def test_a_new_name_is_told_at_once_where_it_is_shown() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        before = hub_fixture.hub.counters.reads
        hub_fixture.boards.names[1] = "Ann"
        await hub_fixture.notice(ProfileChanged(profile(2).id))
        assert hub_fixture.hub.counters.reads == before
        await hub_fixture.notice(ProfileChanged(profile(1).id))
        assert watcher.last.page.entries[0].user.username == "Ann"


async def test_an_older_version_is_never_shown_again() -> None:
    async with running_hub() as hub_fixture:
        for score in range(1, 6):
            await hub_fixture.score(1, score)
        watcher = await hub_fixture.watch()
        hub_fixture.boards.rewind(hub_fixture.board, 2)
        await hub_fixture.clock.advance(3)
        assert {update.page.version.number for update in watcher.seen} == {5}
        assert watcher.last.page.stale
        for score in range(6, 11):
            await hub_fixture.score(1, score)
        await hub_fixture.clock.advance(3)
        assert not watcher.last.page.stale
        assert scores(watcher.last.page) == [10]


async def test_a_rebuilt_board_starts_again_with_a_snapshot() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.announce(hub_fixture.boards.rebuild(hub_fixture.board, "two"))
        await settle()
        assert kinds(watcher.seen) == ["SNAPSHOT", "SNAPSHOT"]
        assert watcher.last.page.version.epoch == "two"


async def test_categories_and_periods_do_not_disturb_each_other() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        before = hub_fixture.hub.counters.reads
        await hub_fixture.score(1, 10, board=hub_fixture.board_of(Period.DAILY))
        await hub_fixture.score(1, 10, board=hub_fixture.board_of(Period.ALL_TIME, "arcade"))
        await hub_fixture.clock.advance(0.4)
        assert hub_fixture.hub.counters.reads == before
        assert len(watcher.seen) == 1


async def test_while_redis_is_away_postgres_is_read_once_a_second() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await hub_fixture.watch()
        hub_fixture.boards.redis = False
        await hub_fixture.clock.advance(1.5)
        before = hub_fixture.hub.counters.reads
        for turn in range(100):
            hub_fixture.hub.notify_changed([hub_fixture.boards.put(hub_fixture.board, 2, 20 + turn)])
            await hub_fixture.clock.advance(0.1)
        assert 9 <= hub_fixture.hub.counters.reads - before <= 11
        assert watcher.last.page.source is Source.POSTGRES
        assert scores(watcher.last.page)[0] >= 110
        hub_fixture.boards.redis = True
        hub_fixture.backend.lose(boards_channel("global"))
        await hub_fixture.clock.advance(0.2)
        assert watcher.last.page.source is Source.REDIS
        assert scores(watcher.last.page)[0] == 119


async def test_while_nothing_answers_watchers_are_told_once_and_then_all_goes_on() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await hub_fixture.watch()
        hub_fixture.boards.redis = hub_fixture.boards.postgres = False
        await hub_fixture.clock.advance(60)
        assert kinds(watcher.seen) == ["SNAPSHOT", "UPDATE"]
        assert watcher.last.page.stale
        assert scores(watcher.last.page) == [10]
        hub_fixture.boards.redis = hub_fixture.boards.postgres = True
        await hub_fixture.score(1, 20)
        await hub_fixture.clock.advance(1.1)
        assert not watcher.last.page.stale
        assert scores(watcher.last.page) == [20]


async def test_a_subscriber_during_an_outage_gets_the_snapshot_when_a_store_answers() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.boards.redis = hub_fixture.boards.postgres = False
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(5)
        assert watcher.seen == []
        assert not watcher.ended
        hub_fixture.boards.postgres = True
        await hub_fixture.clock.advance(1.1)
        assert kinds(watcher.seen) == ["SNAPSHOT"]


async def test_the_end_of_a_window_is_shown_and_then_the_next_one() -> None:
    async with running_hub(start=TEN_TO_MIDNIGHT) as hub_fixture:
        today = hub_fixture.board_of(Period.DAILY)
        await hub_fixture.score(1, 10, board=today)
        watcher = await hub_fixture.watch(period=Period.DAILY)
        await hub_fixture.clock.advance(9.99)
        await hub_fixture.score(2, 20, board=today, announce=False)
        await hub_fixture.clock.advance(0.1)
        tomorrow = hub_fixture.board_of(Period.DAILY)
        await hub_fixture.score(3, 5, board=tomorrow)
        await hub_fixture.score(1, 30, board=today, announce=False)  # was in flight when the window ended
        await hub_fixture.clock.advance(0.5)
        assert [update.page.board for update in watcher.seen][-2:] == [today, tomorrow]
        assert kinds(watcher.seen)[-2:] == ["UPDATE", "SNAPSHOT"]
        assert scores(watcher.seen[-2].page) == [30, 20]
        assert scores(watcher.seen[-1].page) == [5]
        await hub_fixture.score(3, 6, board=tomorrow)
        await settle()
        assert (watcher.last.kind, scores(watcher.last.page)) == (UpdateKind.UPDATE, [6])


async def test_the_last_page_of_a_window_is_told_even_when_nothing_changed() -> None:
    async with running_hub(start=TEN_TO_MIDNIGHT) as hub_fixture:
        today = hub_fixture.board_of(Period.DAILY)
        await hub_fixture.score(1, 10, board=today)
        watcher = await hub_fixture.watch(period=Period.DAILY)
        await hub_fixture.clock.advance(11)
        assert [update.page.board for update in watcher.seen] == [today, today, hub_fixture.board_of(Period.DAILY)]
        assert watcher.seen[1].changes == ()


async def test_a_feed_that_nobody_uses_is_released_with_its_channel() -> None:
    async with running_hub() as hub_fixture:
        watchers = [await hub_fixture.watch() for _ in range(3)]
        assert (hub_fixture.hub.feeds, hub_fixture.hub.watchers) == (1, 3)
        assert hub_fixture.backend.channels == {"notices", boards_channel("global")}
        for watcher in watchers:
            await watcher.leave()
        assert (hub_fixture.hub.feeds, hub_fixture.hub.watchers) == (1, 0)
        await hub_fixture.clock.advance(31)
        assert hub_fixture.hub.feeds == 0
        assert hub_fixture.backend.channels == {"notices"}


async def test_a_board_can_be_watched_again_after_its_feed_was_released() -> None:
    async with running_hub() as hub_fixture:
        await (await hub_fixture.watch()).leave()
        await hub_fixture.clock.advance(31)
        await hub_fixture.score(1, 10)
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(1, 11)
        await settle()
        assert [scores(update.page) for update in watcher.seen] == [[10], [11]]


async def test_closing_the_hub_ends_all_who_watch_and_all_who_come_later() -> None:
    async with running_hub() as hub_fixture:
        watcher = await hub_fixture.watch()
        hub_fixture.hub.close()
        await settle()
        assert watcher.ended
        late = await hub_fixture.watch()
        assert late.ended
        assert late.seen == []
