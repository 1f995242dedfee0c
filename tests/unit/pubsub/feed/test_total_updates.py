"""The number of users on a board, for watchers who show it."""

from __future__ import annotations

from app.domain.boards.board import TOP, BoardUpdate
from app.domain.boards.overtaking import UserChange
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.pubsub.feed.timing import FeedTiming
from tests.support.boards.in_memory_boards import profile
from tests.unit.pubsub.hub_fixture import HubFixture, Watcher, running_hub
from tests.unit.pubsub.manual_clock import settle

QUIET = FeedTiming(poll_interval=60, max_age=90)


async def watch_ten(hub_fixture: HubFixture, *, shows_total: bool) -> Watcher[BoardUpdate]:
    watched = hub_fixture.hub.watch("global", Period.ALL_TIME, Slice(0, 10), shows_total=shows_total)
    watcher = hub_fixture.show(watched)
    await settle()
    await hub_fixture.clock.advance(5)
    return watcher


def totals(watcher: Watcher[BoardUpdate]) -> list[int]:
    return [update.page.total_users for update in watcher.seen]


async def test_a_newcomer_below_the_shown_entries_is_told_to_those_alone_who_show_the_total() -> None:
    async with running_hub() as hub_fixture:
        for user in range(20):
            await hub_fixture.score(user, 100 + user)
        with_total = await watch_ten(hub_fixture, shows_total=True)
        without = await watch_ten(hub_fixture, shows_total=False)
        await hub_fixture.score(50, 1)
        await hub_fixture.clock.advance(2)
        assert totals(with_total) == [20, 21]
        assert with_total.last.changes == ()
        assert totals(without) == [20]


async def test_a_newcomer_below_the_head_is_told_within_about_a_second() -> None:
    async with running_hub() as hub_fixture:
        for user in range(TOP + 5):
            await hub_fixture.score(user, 1000 + user)
        watcher = await watch_ten(hub_fixture, shows_total=True)
        assert not (await hub_fixture.score(500, 1)).top_moved
        await hub_fixture.clock.advance(1.1)
        assert totals(watcher) == [TOP + 5, TOP + 6]


async def test_totals_alone_cause_one_message_a_second_and_the_last_one_is_not_lost() -> None:
    async with running_hub(QUIET) as hub_fixture:
        for user in range(20):
            await hub_fixture.score(user, 100 + user)
        watcher = await watch_ten(hub_fixture, shows_total=True)
        for user in range(30, 60):
            await hub_fixture.score(user, 1)
            await hub_fixture.clock.advance(0.1)
        assert 3 <= len(watcher.seen) - 1 <= 4
        await hub_fixture.clock.advance(1.1)
        assert totals(watcher)[-1] == 50


async def test_a_message_for_another_reason_has_the_total_and_does_not_wait() -> None:
    async with running_hub(QUIET) as hub_fixture:
        for user in range(20):
            await hub_fixture.score(user, 100 + user)
        watcher = await watch_ten(hub_fixture, shows_total=True)
        await hub_fixture.score(50, 1)
        await hub_fixture.clock.advance(0.2)
        await hub_fixture.score(51, 1)
        await hub_fixture.clock.advance(0.2)
        await hub_fixture.score(19, 500)
        await hub_fixture.clock.advance(0.2)
        assert totals(watcher) == [20, 21, 22]
        await hub_fixture.clock.advance(2)
        assert totals(watcher) == [20, 21, 22]


async def test_a_watched_user_is_told_the_total_if_it_is_shown() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 100)
        seen: list[Watcher[UserChange]] = []
        for shows_total in (True, False):
            watched = hub_fixture.hub.watch_user(profile(1).id, "global", Period.ALL_TIME, shows_total=shows_total)
            seen.append(hub_fixture.show(watched))
        await settle()
        await hub_fixture.clock.advance(5)
        await hub_fixture.score(2, 1)
        await hub_fixture.clock.advance(2)
        assert [[change.standing.total_users for change in watcher.seen] for watcher in seen] == [[1, 2], [1]]
