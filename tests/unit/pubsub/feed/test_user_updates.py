"""What those see who watch one player, the board around a player, or milestones."""

from __future__ import annotations

import asyncio

from app.domain.boards.overtaking import UserChange
from app.domain.boards.periods import Period
from app.domain.boards.views import Around, Head, Player
from app.domain.players.milestones import Milestone, MilestoneKind
from app.pubsub.channels.events import MilestoneReached
from tests.support.boards.in_memory_boards import BIRTH, profile
from tests.unit.pubsub.hub_fixture import HubFixture, Watcher, running_hub
from tests.unit.pubsub.manual_clock import settle


async def follow(hub_fixture: HubFixture, user: int) -> Watcher[UserChange]:
    watcher = hub_fixture.show(hub_fixture.hub.watch_user(profile(user).id, "global", Period.ALL_TIME))
    await hub_fixture.clock.advance(0.2)
    return watcher


async def test_a_player_is_shown_with_their_place_first() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        await hub_fixture.score(2, 20)
        watcher = await follow(hub_fixture, 1)
        (first,) = watcher.seen
        assert first.kind.value == "SNAPSHOT"
        assert (first.standing.rank, first.standing.score, first.standing.total_users) == (2, 10, 2)
        assert first.user == profile(1)


async def test_a_player_without_a_score_is_shown_without_a_rank() -> None:
    async with running_hub() as hub_fixture:
        watcher = await follow(hub_fixture, 1)
        assert watcher.last.standing.rank is None
        await hub_fixture.score(1, 10)
        await hub_fixture.clock.advance(0.2)
        assert (watcher.last.standing.rank, watcher.last.previous_rank, watcher.last.score_delta) == (1, None, 10)


async def test_an_overtaken_user_is_told_by_whom() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        await hub_fixture.score(2, 5)
        watcher = await follow(hub_fixture, 1)
        await hub_fixture.score(2, 11)
        await hub_fixture.clock.advance(0.2)
        assert (watcher.last.previous_rank, watcher.last.standing.rank) == (1, 2)
        assert watcher.last.overtaken_by == profile(2)
        await hub_fixture.score(1, 20)
        await hub_fixture.clock.advance(0.2)
        assert (watcher.last.standing.rank, watcher.last.score_delta, watcher.last.overtaken_by) == (1, 10, None)


async def test_far_below_the_head_the_neighbour_who_passed_is_named() -> None:
    async with running_hub() as hub_fixture:
        for user in range(1, 301):
            await hub_fixture.score(user, 10_000 - user * 10)
        watcher = await follow(hub_fixture, 200)
        await hub_fixture.score(201, 10_000 - 200 * 10 + 1)
        await hub_fixture.clock.advance(0.2)
        assert (watcher.last.standing.rank, watcher.last.overtaken_by) == (201, profile(201))


async def test_nothing_is_told_while_score_and_rank_stay() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await follow(hub_fixture, 1)
        await hub_fixture.score(2, 5)
        await hub_fixture.clock.advance(2)
        assert len(watcher.seen) == 1


async def test_a_player_whose_score_another_one_reaches_is_told_of_the_tie() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 20)
        watcher = await follow(hub_fixture, 1)
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(2, 20)
        await hub_fixture.clock.advance(2.0)
        assert watcher.last.standing.tied_with == 1


async def test_what_moves_below_the_head_reaches_those_who_watch_there() -> None:
    async with running_hub() as hub_fixture:
        for user in range(1, 201):
            await hub_fixture.score(user, 1000 - user)
        watcher = await follow(hub_fixture, 150)
        moved = await hub_fixture.score(150, 852)
        await settle()
        assert not moved.top_moved
        assert watcher.last.standing.rank == 149  # later than those with 852, which is player 148


async def test_a_thousand_watched_players_cost_one_read_of_the_head_and_five_slices_per_change() -> None:
    async with running_hub() as hub_fixture:
        for user in range(1000):
            hub_fixture.boards.put(hub_fixture.board, user, user)
        watchers = [
            hub_fixture.show(hub_fixture.hub.watch_user(profile(user).id, "global", Period.ALL_TIME))
            for user in range(1000)
        ]
        await hub_fixture.clock.advance(0.5)
        assert all(len(watcher.seen) == 1 for watcher in watchers)
        counters = hub_fixture.hub.counters
        before = counters.reads, counters.view_reads
        await hub_fixture.score(0, 5000)
        await settle()
        assert (counters.reads, counters.view_reads) == (before[0] + 1, before[1] + 5)
        assert all(len(watcher.seen) == 2 for watcher in watchers)
        slices = hub_fixture.boards.views[-5:]
        assert sum(len(views) - 1 for views in slices) == 1000


async def test_views_beyond_the_head_are_read_in_one_call() -> None:
    async with running_hub() as hub_fixture:
        for user in range(1, 6):
            await hub_fixture.score(user, user)
        await hub_fixture.watch()
        await follow(hub_fixture, 1)
        around = hub_fixture.show(hub_fixture.hub.watch("global", Period.ALL_TIME, Around(profile(1).id, 1)))
        await hub_fixture.clock.advance(0.5)
        await hub_fixture.score(3, 30)
        await settle()
        assert set(hub_fixture.boards.views[-1]) == {Head(), Player(profile(1).id), Around(profile(1).id, 1)}
        assert [entry.rank for entry in around.last.page.entries] == [3, 4, 5]


async def test_a_change_while_a_new_watcher_is_served_reaches_the_others_too() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        first = await follow(hub_fixture, 1)
        hub_fixture.boards.hold = asyncio.Event()
        second = await follow(hub_fixture, 2)
        await hub_fixture.score(2, 20, announce=False)  # while the view of the second is read
        hub_fixture.boards.hold.set()
        await hub_fixture.clock.advance(1.1)
        assert (first.last.standing.rank, second.last.standing.rank) == (2, 1)


async def test_new_watchers_do_not_make_others_miss_a_change() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        first = await follow(hub_fixture, 1)
        await hub_fixture.score(2, 20, announce=False)
        second = await follow(hub_fixture, 2)  # reads the board for the sake of the second only
        await hub_fixture.clock.advance(0.2)
        assert (first.last.standing.rank, second.last.standing.rank) == (2, 1)


async def test_the_board_around_a_player_follows_them() -> None:
    async with running_hub() as hub_fixture:
        for user in range(1, 21):
            await hub_fixture.score(user, 100 - user)
        watcher = hub_fixture.show(hub_fixture.hub.watch("global", Period.ALL_TIME, Around(profile(10).id, 2)))
        await hub_fixture.clock.advance(0.5)
        assert [entry.rank for entry in watcher.last.page.entries] == [8, 9, 10, 11, 12]
        await hub_fixture.score(10, 1000)
        await hub_fixture.clock.advance(0.2)
        assert [entry.rank for entry in watcher.last.page.entries] == [1, 2, 3, 4, 5]
        assert watcher.last.page.entries[0].user == profile(10)


async def test_a_user_without_subscribers_is_no_longer_read() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await follow(hub_fixture, 1)
        await watcher.leave()
        await hub_fixture.score(1, 20)
        await settle()
        assert hub_fixture.boards.views[-1] == [Head()]


async def test_milestones_reach_those_who_asked_for_them() -> None:
    async with running_hub() as hub_fixture:
        everybody = hub_fixture.show(hub_fixture.hub.watch_milestones())
        only = hub_fixture.show(hub_fixture.hub.watch_milestones(profile(2).id))
        await settle()
        for user in (1, 2):
            reached = Milestone(profile(user), "global", MilestoneKind.SCORE, BIRTH, 100)
            await hub_fixture.notice(MilestoneReached(reached))
        assert [milestone.user.id for milestone in everybody.seen] == [profile(1).id, profile(2).id]
        assert [milestone.user.id for milestone in only.seen] == [profile(2).id]
        assert hub_fixture.hub.watchers == 2
        await everybody.leave()
        assert hub_fixture.hub.watchers == 1
        hub_fixture.hub.close()
        await settle()
        assert only.ended


async def test_of_milestones_that_nobody_takes_the_newest_are_kept() -> None:
    async with running_hub() as hub_fixture:
        watcher = hub_fixture.show(hub_fixture.hub.watch_milestones())
        watcher.ready.clear()
        await settle()
        for number in range(200):
            reached = Milestone(profile(number), "global", MilestoneKind.TOP_TEN, BIRTH)
            await hub_fixture.notice(MilestoneReached(reached))
        watcher.ready.set()
        await settle()
        assert watcher.seen[-1].user.id == profile(199).id
        assert len(watcher.seen) == 65
