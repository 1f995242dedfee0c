"""Whatever happens in whatever order: when it is over, everybody sees the board as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.boards.board import BoardUpdate, Entry, UpdateKind, changes_between
from app.domain.boards.overtaking import UserChange
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.pubsub.channels.events import boards_channel
from tests.support.boards.in_memory_boards import profile
from tests.unit.pubsub.hub_fixture import HubFixture, Watcher, running_hub
from tests.unit.pubsub.manual_clock import settle

USERS = st.integers(1, 6)

STEPS = st.one_of(
    st.tuples(st.just("score"), USERS, st.integers(0, 9), st.booleans()),
    st.tuples(st.just("pass"), st.sampled_from([0.0, 0.003, 0.05, 0.1, 0.4, 1.3])),
    st.tuples(st.just("redis"), st.booleans()),
    st.tuples(st.just("postgres"), st.booleans()),
    st.tuples(st.just("rebuild"), st.booleans()),
    st.tuples(st.just("gap")),
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("watch"), st.integers(1, 5)),
    st.tuples(st.just("follow"), USERS),
    st.tuples(st.just("leave")),
    st.tuples(st.just("slow"), st.booleans()),
    st.tuples(st.just("rerun")),
)


class Play:
    """Carries steps out on a stage."""

    def __init__(self, hub_fixture: HubFixture) -> None:
        self.hub_fixture = hub_fixture
        self.boards: dict[Watcher[BoardUpdate], int] = {}
        self.players: dict[Watcher[UserChange], int] = {}
        self._epochs = 0

    async def step(self, name: str, *args: Any) -> None:
        hub_fixture = self.hub_fixture
        match name, args:
            case "score", (user, score, announced):
                await hub_fixture.score(user, score, announce=announced)
            case "pass", (seconds,):
                await hub_fixture.clock.advance(seconds)
            case "redis" | "postgres", (up,):
                setattr(hub_fixture.boards, name, up)
            case "rebuild", (announced,):
                self._epochs += 1
                moved = hub_fixture.boards.rebuild(hub_fixture.board, f"rebuilt-{self._epochs}")
                if announced:
                    await hub_fixture.announce(moved)
            case "gap", ():
                hub_fixture.backend.lose(boards_channel("global"))
            case "hold", (held,):
                self.release()
                hub_fixture.boards.hold = asyncio.Event() if held else None
            case "watch", (limit,):
                self.boards[hub_fixture.show(hub_fixture.hub.watch("global", Period.ALL_TIME, Slice(0, limit)))] = limit
            case "follow", (user,):
                updates = hub_fixture.hub.watch_user(profile(user).id, "global", Period.ALL_TIME)
                self.players[hub_fixture.show(updates)] = user
            case "leave", () if self.boards:
                watcher, _ = self.boards.popitem()
                await watcher.leave()
            case "slow", (slow,):
                for watcher in (*self.boards, *self.players):
                    watcher.ready.clear() if slow else watcher.ready.set()
            case "rerun", ():
                await hub_fixture.rerun()

    def release(self) -> None:
        if self.hub_fixture.boards.hold is not None:
            self.hub_fixture.boards.hold.set()

    async def calm(self) -> None:
        """The stores answer, everybody reads, and no announcement comes to help."""
        self.release()
        hub_fixture = self.hub_fixture
        hub_fixture.boards.hold, hub_fixture.boards.redis, hub_fixture.boards.postgres = None, True, True
        await self.step("slow", False)
        await hub_fixture.clock.advance(2.5)
        await settle()


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
async def test_every_watcher_ends_on_the_true_board(steps: list[tuple[Any, ...]]) -> None:
    async with running_hub() as hub_fixture:
        play = Play(hub_fixture)
        await play.step("watch", 3)
        for step in steps:
            await play.step(*step)
        await play.calm()
        truth = hub_fixture.boards.truth(hub_fixture.board)
        for watcher, limit in play.boards.items():
            assert shown(watcher.last.page.entries) == shown(truth[:limit])
            assert not watcher.last.page.stale
            check_story(watcher.seen)
        for player, user in play.players.items():
            entry = next((entry for entry in truth if entry.user.id == profile(user).id), None)
            assert player.last.standing.rank == (entry and entry.rank)
            assert player.last.standing.score == (entry.score if entry else 0)


def shown(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    return [(entry.rank, entry.competition_rank, entry.score, entry.user) for entry in entries]


def check_story(seen: list[BoardUpdate]) -> None:
    """What one watcher saw: it begins with a snapshot, versions never go back, and each message follows the other."""
    assert seen[0].kind is UpdateKind.SNAPSHOT
    highest: dict[str, int] = {}
    for update in seen:
        version = update.page.version
        assert version.number >= highest.get(version.epoch, 0)
        highest[version.epoch] = version.number
    for before, after in pairwise(seen):
        same_epoch = before.page.version.epoch == after.page.version.epoch
        assert (after.kind is UpdateKind.UPDATE) is same_epoch
        assert after.changes == (changes_between(before.page, after.page) if same_epoch else ())
