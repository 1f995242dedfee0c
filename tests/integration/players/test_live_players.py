"""Live for players: their own place, who passed them, their neighbourhood, their milestones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from app.domain.players.milestones import Milestone, MilestoneKind
from app.domain.users import Profile
from app.pubsub.channels.events import MilestoneReached
from app.wiring import App
from tests.support.boards.board_rows import BIRTH, Row, all_time, move, put_rows, rows_of, user_id
from tests.support.graphql.schema_client import Asker
from tests.support.wait_until import TIMEOUT, until

USER_UPDATES = """
subscription User($user: ID!, $period: Period! = ALL_TIME) {
  userUpdates(userId: $user, period: $period) {
    kind user { id username } score rank previousRank scoreDelta overtakenBy { username }
    standing { competitionRank totalUsers percentile }
  }
}
"""
AROUND = """
subscription Around($user: ID!, $radius: Int! = 1) {
  leaderboardUpdates(aroundUserId: $user, radius: $radius) {
    kind version
    leaderboard { id version entries { rank score user { username } } }
    changes { oldRank newRank user { username } }
  }
}
"""
BESIDE = """
subscription Beside($user: ID!, $friends: [ID!]!) {
  leaderboardUpdates(limit: 1) {
    kind version
    leaderboard {
      version totalUsers
      entries { rank score }
      around(userId: $user, radius: 1) { rank score }
      standings(first: 2) { nodes { rank score } totalCount }
      friends(userIds: $friends) { rank entry { rank score } }
    }
  }
}
"""
MILESTONES = """
subscription Milestones($user: ID) {
  milestones(userId: $user) { id kind threshold category { id } user { username } reachedAt }
}
"""

Messages = AsyncGenerator[dict[str, Any], None]


def uid(number: int) -> str:
    return str(user_id(number))


async def coming(messages: Messages) -> dict[str, Any]:
    """The next message's one field."""
    async with asyncio.timeout(TIMEOUT):
        (content,) = (await anext(messages)).values()
    found: dict[str, Any] = content
    return found


@pytest.fixture
def asker(app: App) -> Asker:
    return Asker(app)


async def test_a_player_hears_of_points_and_of_being_overtaken(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 40, 30))
    async with aclosing(asker.watch(USER_UPDATES, user=uid(2))) as messages:
        first = await coming(messages)
        assert (first["kind"], first["rank"], first["previousRank"], first["scoreDelta"]) == ("SNAPSHOT", 2, 2, 0)
        assert first["standing"] == {"competitionRank": 2, "totalUsers": 3, "percentile": pytest.approx(100 / 3)}
        await move(app, all_time(), Row(3, 45, 9), revision=2)
        fallen = await coming(messages)
        assert (fallen["kind"], fallen["rank"], fallen["previousRank"]) == ("UPDATE", 3, 2)
        assert fallen["overtakenBy"] == {"username": "player-3"}
        await move(app, all_time(), Row(2, 60, 10), revision=2)
        risen = await coming(messages)
        assert (risen["rank"], risen["previousRank"], risen["scoreDelta"], risen["score"]) == (1, 3, 20, 60)
        assert risen["overtakenBy"] is None


async def test_a_player_without_a_row_is_watched_until_the_first_points(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 40))
    await put_rows(app, rows_of(50))
    async with aclosing(asker.watch(USER_UPDATES, user=uid(2))) as messages:
        first = await coming(messages)
        assert (first["rank"], first["score"], first["user"]["username"]) == (None, 0, "player-2")
        await move(app, all_time(), Row(2, 10, 9), revision=1)
        assert (await coming(messages))["rank"] == 2


async def test_nobody_can_be_watched_who_does_not_exist(asker: Asker):
    assert await asker.refused(USER_UPDATES, user=uid(77)) == "USER_NOT_FOUND"
    assert await asker.refused(USER_UPDATES, user="nobody") == "BAD_USER_INPUT"
    assert await asker.refused(MILESTONES, user=uid(77)) == "USER_NOT_FOUND"
    assert await asker.refused(AROUND, user=uid(1), radius=50) == "BAD_USER_INPUT"


async def test_the_board_around_a_player_moves_with_the_player(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 40, 30, 20, 10))
    async with aclosing(asker.watch(AROUND, user=uid(5))) as messages:
        first = await coming(messages)
        assert [entry["rank"] for entry in first["leaderboard"]["entries"]] == [3, 4, 5]
        await move(app, all_time(), Row(5, 45, 9), revision=2)
        then = await coming(messages)
        assert then["kind"] == "UPDATE"
        assert [(entry["rank"], entry["user"]["username"]) for entry in then["leaderboard"]["entries"]] == [
            (1, "player-1"), (2, "player-5"), (3, "player-2")
        ]  # fmt: skip
        assert {"oldRank": 5, "newRank": 2, "user": {"username": "player-5"}} in then["changes"]
        assert then["leaderboard"]["id"] == first["leaderboard"]["id"]


async def test_all_viewers_of_their_own_neighbourhoods_share_one_reading_per_tick(app: App, asker: Asker):
    players = 40
    await put_rows(app, rows_of(*range(1000, 1000 - players, -1)))
    watched = [asker.watch(AROUND, user=uid(number)) for number in range(1, players + 1)]
    users = [asker.watch(USER_UPDATES, user=uid(number)) for number in range(1, players + 1)]
    try:
        for messages in [*watched, *users]:
            await coming(messages)
        await _quiet(app)
        before = app.hub.counters.reads
        await move(app, all_time(), Row(players, 2000, 9), revision=2)
        for messages in [*watched, *users]:
            assert (await coming(messages))["kind"] == "UPDATE"
        assert app.hub.counters.reads - before == 1
    finally:
        for messages in [*watched, *users]:
            await messages.aclose()


async def test_what_is_watched_beside_the_page_is_of_its_version_and_moves_it(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 40, 30, 20, 10))
    async with aclosing(asker.watch(BESIDE, user=uid(4), friends=[uid(5), uid(1)])) as messages:
        first = (await coming(messages))["leaderboard"]
        assert [entry["rank"] for entry in first["around"]] == [3, 4, 5]
        assert [one["entry"]["score"] for one in first["friends"]] == [50, 10]
        await move(app, all_time(), Row(5, 25, 9), revision=2)  # far below the page of one entry
        then = await coming(messages)
        board = then["leaderboard"]
        assert then["kind"] == "UPDATE"
        assert (board["entries"], board["version"]) == (first["entries"], then["version"])
        assert [(entry["rank"], entry["score"]) for entry in board["around"]] == [(3, 30), (4, 25), (5, 20)]
        assert [one["entry"]["rank"] for one in board["friends"]] == [1, 4]
        assert board["standings"]["totalCount"] == board["totalUsers"] == 5


def _reached(number: int, threshold: int) -> MilestoneReached:
    player = Profile(user_id(number), f"player-{number}", None, BIRTH)
    return MilestoneReached(Milestone(player, "global", MilestoneKind.SCORE, BIRTH, threshold))


async def test_milestones_of_one_player_or_of_all_are_announced_as_they_are_reached(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 40))
    async with aclosing(asker.watch(MILESTONES)) as all_of_them, aclosing(asker.watch(MILESTONES, user=uid(2))) as one:
        heard = [asyncio.ensure_future(coming(all_of_them)), asyncio.ensure_future(coming(one))]
        await until(lambda: app.hub.watchers == 2)
        await app.notices.publish(_reached(1, 100))
        await app.notices.publish(_reached(2, 500))
        assert (await heard[0])["user"] == {"username": "player-1"}
        mine = await heard[1]
        assert (mine["threshold"], mine["kind"], mine["category"]) == (500, "SCORE", {"id": "global"})
        assert await coming(all_of_them) == mine


async def _quiet(app: App) -> None:
    """Returns when no reading has been made for three polls of the version."""
    counters = app.hub.counters
    seen = counters.reads, counters.polls

    def still() -> bool:
        nonlocal seen
        if counters.reads != seen[0]:
            seen = counters.reads, counters.polls
        return counters.polls >= seen[1] + 3

    await until(still)
