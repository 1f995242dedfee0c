"""Views beyond the head: they follow in slices, are bounded, and never hold up the head."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.boards.board import BoardUpdate, Page
from app.domain.boards.overtaking import UserChange
from app.domain.boards.periods import Period
from app.domain.boards.view_cost import lookups
from app.domain.boards.views import Around, Head, Player, Slice, UserSelection, View
from app.domain.errors import BadUserInput, RateLimited, ServiceUnavailable
from app.pubsub.feed.timing import FeedTiming
from app.pubsub.feed.view_budget import Owner, ViewLimits, ViewOwners
from tests.support.boards.in_memory_boards import profile
from tests.unit.pubsub.hub_fixture import HubFixture, Watcher, running_hub
from tests.unit.pubsub.manual_clock import settle

ALL_TIME = Period.ALL_TIME
TEN_TO_MIDNIGHT = datetime(2026, 11, 20, 23, 59, 50, tzinfo=UTC)
MALLORY, ALICE = Owner("198.51.100.1"), Owner("192.0.2.1")


def ids(first: int, count: int) -> frozenset[UUID]:
    return frozenset(UUID(int=number) for number in range(first, first + count))


def compare(
    hub_fixture: HubFixture, first: int, count: int = 100, owner: Owner = MALLORY, limit: int = 10
) -> Watcher[BoardUpdate]:
    """Watch the top with a comparison of `count` users that is like no other."""
    extra = [UserSelection(ids(first, count))]
    return hub_fixture.show(hub_fixture.hub.watch("global", ALL_TIME, Slice(0, limit), extra, ViewOwners(owner)))


def follow(hub_fixture: HubFixture, user: int, owner: Owner = ALICE) -> Watcher[UserChange]:
    return hub_fixture.show(hub_fixture.hub.watch_user(profile(user).id, "global", ALL_TIME, ViewOwners(owner)))


def scores(page: Page) -> list[int]:
    return [entry.score for entry in page.entries]


def slices_of(reads: Sequence[Sequence[View[object]]]) -> list[Sequence[View[object]]]:
    return [views for views in reads if len(views) > 1]


async def test_the_head_is_read_first_and_alone_and_delivered_before_any_other_view() -> None:
    async with running_hub() as hub_fixture:
        top, compared = await hub_fixture.watch(), compare(hub_fixture, 0)
        await hub_fixture.clock.advance(0.5)
        hub_fixture.boards.hold_views = asyncio.Event()
        hub_fixture.boards.views.clear()
        await hub_fixture.score(1, 10)
        await settle()
        assert hub_fixture.boards.views[0] == [Head()]
        assert scores(top.last.page) == [10]
        assert scores(compared.last.page) == []
        hub_fixture.boards.hold_views.set()
        await settle()
        assert scores(compared.last.page) == [10]


async def test_no_call_to_a_store_reads_more_than_a_slice() -> None:
    async with running_hub() as hub_fixture:
        watchers = [compare(hub_fixture, 100 * number, 70) for number in range(20)]
        await hub_fixture.clock.advance(1)
        await hub_fixture.score(1, 10)
        await hub_fixture.clock.advance(1)
        assert all(scores(watcher.last.page) == [10] for watcher in watchers)
        assert max(lookups(*views) for views in hub_fixture.boards.views) <= 200 + lookups(Head())


async def test_a_change_of_the_head_goes_before_the_remaining_slices() -> None:
    async with running_hub() as hub_fixture:
        top = await hub_fixture.watch()
        watchers = [compare(hub_fixture, 100 * number) for number in range(5)]
        await hub_fixture.clock.advance(1)
        hub_fixture.boards.hold_views = asyncio.Event()
        await hub_fixture.score(1, 10)
        await hub_fixture.clock.advance(0.5)  # The first of five slices is on its way.
        hub_fixture.boards.views.clear()
        await hub_fixture.score(1, 20)
        await settle()
        assert scores(top.last.page) == [20]
        assert hub_fixture.boards.views == [[Head()]]
        hub_fixture.boards.hold_views.set()
        hub_fixture.boards.hold_views = None
        await hub_fixture.clock.advance(2)  # No slice begins for a while after one that took half a second.
        assert all(scores(watcher.last.page) == [20] for watcher in watchers)


async def test_all_ranks_of_one_message_are_of_one_version() -> None:
    async with running_hub() as hub_fixture:
        watcher = compare(hub_fixture, 0)
        others = [compare(hub_fixture, 100 * number) for number in range(1, 6)]
        for turn in range(40):
            await hub_fixture.score(turn % 7, turn)
            await hub_fixture.clock.advance(0.03)
        await hub_fixture.clock.advance(1)
        assert len(watcher.seen) > 3
        for update in watcher.seen:
            ((_, compared),) = update.page.extra_views
            assert compared.version == update.page.version
            assert [e.rank for e in compared.entries] == [e.rank for e in update.page.entries]
        for one in (watcher, *others):
            versions = [update.page.version.number for update in one.seen]
            assert versions == sorted(versions)


async def test_while_only_views_fail_only_they_become_stale_and_the_head_goes_on() -> None:
    async with running_hub() as hub_fixture:
        top, compared = await hub_fixture.watch(), compare(hub_fixture, 0)
        await hub_fixture.clock.advance(0.5)
        hub_fixture.boards.views_failure = ServiceUnavailable()
        await hub_fixture.score(1, 10)
        await hub_fixture.clock.advance(2.5)
        await hub_fixture.score(1, 20)
        await settle()
        assert (scores(top.last.page), top.last.page.stale) == ([20], False)
        assert (scores(compared.last.page), compared.last.page.stale) == ([], True)
        hub_fixture.boards.views_failure = None
        await hub_fixture.clock.advance(1.1)
        assert (scores(compared.last.page), compared.last.page.stale) == ([20], False)


async def test_a_new_watcher_does_not_wait_for_a_whole_pass() -> None:
    async with running_hub() as hub_fixture:
        for number in range(50):
            compare(hub_fixture, 100 * number)
        await hub_fixture.clock.advance(1)
        hold = hub_fixture.boards.hold_views = asyncio.Event()
        await hub_fixture.score(1, 10)
        await settle()  # The first slice of the pass is on its way.
        hub_fixture.boards.views.clear()
        newcomer = follow(hub_fixture, 1)
        await settle()
        hub_fixture.boards.hold_views = None
        hold.set()
        await settle()
        assert newcomer.last.standing.score == 10
        slices = slices_of(hub_fixture.boards.views)
        assert len(slices) > 10
        assert any(Player(profile(1).id) in views for views in slices[:3])


async def test_a_subscription_whose_views_do_not_fit_into_a_slice_is_refused() -> None:
    async with running_hub() as hub_fixture:
        extra = [UserSelection(ids(100 * number, 100)) for number in range(15)]
        with pytest.raises(BadUserInput):
            await anext(hub_fixture.hub.watch("global", ALL_TIME, Slice(0, 10), extra))
        assert hub_fixture.hub.watchers == 0


async def test_when_passes_take_too_long_the_most_expensive_owner_loses_the_views() -> None:
    async with running_hub() as hub_fixture:
        top = await hub_fixture.watch()
        players = [follow(hub_fixture, user) for user in range(10)]
        expensive = [compare(hub_fixture, 100 * number) for number in range(20)]
        await hub_fixture.clock.advance(1)
        hub_fixture.boards.before_views = lambda: hub_fixture.clock.jump(0.2)
        for turn in range(10):
            await hub_fixture.score(1, 10 + turn)
            await hub_fixture.clock.advance(10)
        assert all(watcher.ended for watcher in expensive)
        for watcher in expensive:
            assert isinstance(watcher.failure, RateLimited)
            assert watcher.failure.retry_after > 0
        assert not any(player.ended for player in players)
        assert scores(top.last.page) == [19]
        assert players[1].last.standing.score == 19
        assert hub_fixture.hub.budget.dropped == 20


async def test_views_that_cannot_be_read_in_time_are_dropped_and_the_head_goes_on() -> None:
    async with running_hub() as hub_fixture:
        top, compared = await hub_fixture.watch(), compare(hub_fixture, 0)
        await hub_fixture.clock.advance(1)
        hub_fixture.boards.views_failure = TimeoutError()
        for turn in range(15):
            await hub_fixture.score(1, 10 + turn)
            await hub_fixture.clock.advance(1)
            assert scores(top.last.page) == [10 + turn]
        assert isinstance(compared.failure, RateLimited)


async def test_a_watcher_who_does_not_read_loses_the_view_all_the_same() -> None:
    async with running_hub(view_limits=ViewLimits(max_lookups_per_board=250)) as hub_fixture:
        slow = [compare(hub_fixture, 100 * number) for number in range(2)]
        await hub_fixture.clock.advance(1)
        for watcher in slow:
            watcher.ready.clear()
        await hub_fixture.score(1, 10)
        await hub_fixture.clock.advance(1)
        follower = compare(hub_fixture, 500, 100, ALICE)
        await hub_fixture.clock.advance(1)
        assert follower.seen
        hub_fixture.boards.views.clear()
        await hub_fixture.score(1, 20)
        await hub_fixture.clock.advance(1)
        assert len({view for views in slices_of(hub_fixture.boards.views) for view in views if view != Head()}) == 2


async def test_an_owner_over_the_limit_gets_an_error_and_others_are_not_affected() -> None:
    async with running_hub(view_limits=ViewLimits(max_views_per_address=3)) as hub_fixture:
        mine = [compare(hub_fixture, 100 * number, 1) for number in range(5)]
        theirs = follow(hub_fixture, 1)
        await hub_fixture.clock.advance(1)
        assert [watcher.ended for watcher in mine] == [False, False, False, True, True]
        assert isinstance(mine[3].failure, RateLimited)
        assert theirs.seen
        await mine[0].leave()
        again = compare(hub_fixture, 900, 1)
        await hub_fixture.clock.advance(1)
        assert again.seen


async def test_watching_the_head_is_never_refused() -> None:
    async with running_hub(view_limits=ViewLimits(1, 1, 1, 1)) as hub_fixture:
        around = hub_fixture.show(hub_fixture.hub.watch("global", ALL_TIME, Around(profile(1).id, 1)))
        watchers = [await hub_fixture.watch(limit=limit) for limit in (1, 5, 10, 100)]
        assert all(watcher.seen for watcher in watchers)
        await hub_fixture.clock.advance(0.5)
        assert isinstance(around.failure, RateLimited)  # Its cost alone is more than the board may have.


async def test_the_last_state_of_a_window_reaches_the_head_before_the_other_views() -> None:
    async with running_hub(FeedTiming(), start=TEN_TO_MIDNIGHT) as hub_fixture:
        today = hub_fixture.board_of(Period.DAILY)
        top = await hub_fixture.watch(period=Period.DAILY)
        around = hub_fixture.show(hub_fixture.hub.watch("global", Period.DAILY, Around(profile(1).id, 1)))
        await hub_fixture.clock.advance(9)
        await hub_fixture.score(1, 10, board=today, announce=False)
        hub_fixture.boards.hold_views = asyncio.Event()
        await hub_fixture.clock.advance(2)
        assert [update.page.board.window for update in top.seen][-2:] == [today.window, today.window.next]
        assert scores(top.seen[-2].page) == [10]
        hub_fixture.boards.hold_views.set()
        await hub_fixture.clock.advance(1)
        final = [update for update in around.seen if update.page.board == today][-1]
        assert scores(final.page) == [10]


async def test_slices_of_all_boards_together_take_at_most_a_quarter_of_the_time() -> None:
    timing, took = FeedTiming(max_slow_passes=1000), 0.05
    async with running_hub(timing) as hub_fixture:
        top = await hub_fixture.watch()
        periods = (Period.ALL_TIME, Period.WEEKLY, Period.MONTHLY)
        for period in periods:
            for number in range(5):
                extra = [UserSelection(ids(100 * number, 100))]
                hub_fixture.show(hub_fixture.hub.watch("global", period, Slice(0, 10), extra))
        await hub_fixture.clock.advance(1)
        hub_fixture.boards.before_views = lambda: hub_fixture.clock.jump(took)
        hub_fixture.boards.views.clear()
        for turn in range(100):
            for period in periods:
                await hub_fixture.score(1, turn, board=hub_fixture.board_of(period))
            await hub_fixture.clock.advance(0.2)
            assert scores(top.last.page) == [turn]
        slices = len(slices_of(hub_fixture.boards.views))
        seconds = hub_fixture.clock.monotonic() - 1
        assert 0.2 * seconds < slices * took <= 0.25 * seconds + timing.view_burst_seconds + took


async def test_slices_that_are_cheap_follow_without_a_pause() -> None:
    async with running_hub() as hub_fixture:
        watchers = [compare(hub_fixture, 100 * number) for number in range(5)]
        await hub_fixture.clock.advance(1)
        hub_fixture.boards.before_views = lambda: hub_fixture.clock.jump(0.004)
        for turn in range(10):
            await hub_fixture.score(1, turn)
            await settle()
            assert [scores(watcher.last.page) for watcher in watchers] == [[turn]] * 5
            await hub_fixture.clock.advance(0.1)


async def test_a_pause_between_slices_is_bounded() -> None:
    async with running_hub() as hub_fixture:
        watchers = [compare(hub_fixture, 100 * number) for number in range(4)]  # Two slices.
        await hub_fixture.clock.advance(1)
        hub_fixture.boards.before_views = lambda: hub_fixture.clock.jump(4)
        await hub_fixture.score(1, 10)
        await settle()
        assert [scores(watcher.last.page) for watcher in watchers] == [[10], [10], [], []]
        await hub_fixture.clock.advance(FeedTiming().max_view_pause)
        assert [scores(watcher.last.page) for watcher in watchers] == [[10]] * 4


async def test_the_last_state_of_a_window_reaches_every_view_although_slices_are_spaced() -> None:
    async with running_hub(start=TEN_TO_MIDNIGHT) as hub_fixture:
        today = hub_fixture.board_of(Period.DAILY)
        watchers = []
        for number in range(5):
            extra = [UserSelection(ids(100 * number, 100))]
            watchers.append(hub_fixture.show(hub_fixture.hub.watch("global", Period.DAILY, Slice(0, 10), extra)))
        await hub_fixture.clock.advance(9)
        hub_fixture.boards.before_views = lambda: hub_fixture.clock.jump(0.1)
        await hub_fixture.score(1, 10, board=today, announce=False)
        await hub_fixture.clock.advance(10)
        for watcher in watchers:
            final = [update for update in watcher.seen if update.page.board == today][-1]
            assert scores(final.page) == [10]
