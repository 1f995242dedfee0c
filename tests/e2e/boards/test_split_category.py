"""A category that is split over three shards, through GraphQL: what players and watchers see is that of one board."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from app.config import Settings
from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.ledger.transactions import Actor
from app.services.board_index import Keys
from app.services.board_index.shards.layout import shard_boards, shard_of
from tests.e2e.boards.test_subscriptions import watching
from tests.support.service import Service, serving, user_id
from tests.support.wait_until import until_answer

SHARDS = 3

CATALOGUE: tuple[list[dict[str, Any]], list[dict[str, Any]]] = (
    [{"id": "races", "name": "Races", "shards": SHARDS}],
    [{"id": f"WIN_{points}", "name": "Win", "category": "races", "points": points} for points in (10, 20, 30)],
)

ENTRY = "rank competitionRank tiedWith score user { username }"
BOARD = f"""
query Board($user: ID!) {{
  leaderboard(category: "races", limit: 100) {{
    source stale totalUsers entries {{ {ENTRY} }}
    around(userId: $user, radius: 2) {{ {ENTRY} }}
    standings(first: 4) {{ edges {{ node {{ rank score user {{ username }} }} }} pageInfo {{ endCursor }} }}
  }}
  userRank(category: "races", userId: $user) {{ rank competitionRank tiedWith score totalUsers }}
}}
"""
NEXT = """
query Next($after: String!, $rank: Int!) {
  leaderboard(category: "races") {
    after: standings(first: 5, after: $after) { edges { node { rank user { username } } } }
    before: standings(last: 3, before: $after) { edges { node { rank user { username } } } }
    at: standings(first: 3, atRank: $rank) { edges { node { rank user { username } } } }
  }
}
"""


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[tuple[Service, Service]]:
    async with serving(settings) as one:
        await one.app.catalogue_changes.apply(*CATALOGUE, Actor(None, "operator"), "a test")
        await one.app.rebuild.ensure_loaded()
        async with serving(settings) as two:
            yield one, two


async def play(services: tuple[Service, Service]) -> dict[str, str]:
    """Let twelve players win on both instances; return their ids by name. In every shard there are some."""
    ids = {}
    for number in range(12):
        outcome = await services[number % 2].player(f"player-{number}").play(f"WIN_{(10, 20, 30)[number % 3]}")
        assert outcome["__typename"] == "ScoreAccepted"
        ids[f"player-{number}"] = str(user_id(outcome))
    return ids


EXPECTED = [
    (place, 1 + 4 * ((place - 1) // 4), 3, 30 - 10 * ((place - 1) // 4), f"player-{number}")
    for place, number in enumerate([2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9], 1)
]
"""Rank, competition rank, ties, score and name of everybody."""


def lines(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (one["rank"], one["competitionRank"], one["tiedWith"], one["score"], one["user"]["username"]) for one in entries
    ]


def names(connection: dict[str, Any]) -> list[tuple[int, str]]:
    return [(edge["node"]["rank"], edge["node"]["user"]["username"]) for edge in connection["edges"]]


async def test_every_query_answers_from_redis_as_for_one_board(services: tuple[Service, Service]):
    ids = await play(services)
    assert {shard_of(UUID(user).bytes, SHARDS) for user in ids.values()} == {0, 1, 2}
    for service in services:
        data = await service.anonymous.ask(BOARD, user=ids["player-4"])
        board = data["leaderboard"]
        assert (board["source"] != "POSTGRES", board["stale"], board["totalUsers"]) == (True, False, 12)
        assert lines(board["entries"]) == EXPECTED
        assert lines(board["around"]) == EXPECTED[3:8]
        assert data["userRank"] == {"rank": 6, "competitionRank": 5, "tiedWith": 3, "score": 20, "totalUsers": 12}
        cursor = board["standings"]["pageInfo"]["endCursor"]
        further = (await service.anonymous.ask(NEXT, after=cursor, rank=10))["leaderboard"]
        expected = [(one[0], one[4]) for one in EXPECTED]
        assert names(further["after"]) == expected[4:9]
        assert names(further["before"]) == expected[:3]
        assert names(further["at"]) == expected[9:12]


async def test_watchers_on_another_instance_and_receipts_see_the_whole_board(services: tuple[Service, Service]):
    one, two = services
    async with watching(two, category="races", limit=100) as watcher:
        await play(services)
        update = await watcher.until([(line[4], line[3]) for line in EXPECTED], 60)
        outcome = await one.player("player-9").play("WIN_30")
        assert (outcome["previousRank"], outcome["currentRank"]) == (12, 1)
        after = await watcher.until([("player-9", 40), *((line[4], line[3]) for line in EXPECTED[:-1])], 60)
        assert (after["epoch"], after["version"] > update["version"]) == (update["epoch"], True)
        changes = [(one["user"]["username"], one["oldRank"], one["newRank"]) for one in after["changes"]]
        assert changes[0] == ("player-9", 12, 1)


async def test_nobody_ever_sees_a_board_without_the_users_of_a_lost_shard(services: tuple[Service, Service]):
    ids = await play(services)
    app = services[0].app
    keys = Keys(app.settings.redis_prefix)
    lost = shard_boards(board_of("races", Period.ALL_TIME, app.clock()), SHARDS)[1]

    async def source() -> str:
        boards = [(await service.anonymous.ask(BOARD, user=ids["player-4"]))["leaderboard"] for service in services]
        assert all(lines(board["entries"]) == EXPECTED for board in boards)
        return str(boards[0]["source"])

    instances = [service.app for service in services]
    rebuilds = sum(sum(one.rebuild.rebuilds.values()) for one in instances)
    await app.redis.delete(keys.order(lost), keys.members(lost), keys.digests(lost), keys.meta(lost.category))
    for one in instances:
        one.hub.invalidate()  # What feeds have in memory is right, and is not what this test is about.
    async with asyncio.timeout(60):
        while sum(sum(one.rebuild.rebuilds.values()) for one in instances) == rebuilds:
            await source()
    await until_answer(source, lambda found: found != "POSTGRES")
