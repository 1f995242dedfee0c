"""What a game attaches to results, on the entries of boards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.users import Role
from tests.support.races import BOARD, RACES, RECORD, SAVE_CATEGORY, open_race_track, report
from tests.support.service import Player, Service

REVERT = 'mutation R($id: ID!) { revertTransaction(transactionId: $id, reason: "a shortcut") { newScore } }'
REMOVE = """
mutation R($id: ID!) {
  removeMetadata(userId: $id, category: "races", reason: "not a replay") { removed user { username } }
}
"""
HIDE = 'mutation H($id: ID!) { hideUser(userId: $id, reason: "a bot") { hidden } }'
UNHIDE = 'mutation U($id: ID!) { unhideUser(userId: $id, reason: "no bot") { hidden } }'
DELETE = 'mutation D($id: ID!) { deleteUser(userId: $id, reason: "asked") { export } }'
TRANSACTIONS = "query T($id: ID!) { transactions(userId: $id) { edges { node { kind delta reason } } } }"
NESTED = """
query Nested($id: ID!, $ids: [ID!]!) { leaderboard(category: "races") {
  around(userId: $id) { metadata }
  standings(first: 10) { nodes { metadata } }
  friends(userIds: $ids) { entry { metadata } }
} }
"""
ROWS = text("SELECT count(*) FROM entry_metadata")


@pytest.fixture
def server(service: Service) -> Player:
    return service.player("the race track", Role.SERVER)


@pytest.fixture
async def moderator(service: Service) -> Player:
    moderator = service.player("the moderator", Role.MODERATOR)
    await open_race_track(moderator)
    return moderator


async def record(server: Player, name: str, time: int, replay: str | None = None) -> dict[str, Any]:
    metadata = None if replay is None else {"replay": replay}
    outcome: dict[str, Any] = (await server.ask(RECORD, input=report(name, time, metadata=metadata)))["outcome"]
    return outcome


async def shown(player: Player, **more: Any) -> list[tuple[int, str | None]]:
    """Scores and replays on the board."""
    entries = (await player.ask(BOARD, category=RACES, **more))["leaderboard"]["entries"]
    return [(entry["score"], entry["metadata"] and entry["metadata"]["replay"]) for entry in entries]


async def rows(service: Service) -> int:
    async with service.app.database.connect() as connection:
        count: int = (await connection.execute(ROWS)).scalar_one()
        return count


@pytest.mark.usefixtures("moderator")
async def test_the_metadata_of_the_best_result_is_shown(service: Service, server: Player):
    for time, replay, expected in (
        (83_250, "first", (83_250, "first")),
        (90_000, "slower", (83_250, "first")),
        (83_250, "as fast", (83_250, "first")),
        (81_000, "best", (81_000, "best")),
        (80_000, None, (80_000, None)),
    ):
        await record(server, "ada", time, replay)
        for period in ("ALL_TIME", "DAILY", "WEEKLY", "MONTHLY"):
            assert await shown(service.anonymous, period=period) == [expected]


async def test_after_a_reversal_the_metadata_is_that_of_the_second_best(
    service: Service, server: Player, moderator: Player
):
    await record(server, "ada", 83_250, "second best")
    best = await record(server, "ada", 81_000, "best")
    await record(server, "ada", 85_000, "third best")
    await moderator.ask(REVERT, id=best["transactionId"])
    for period in ("ALL_TIME", "DAILY"):
        assert await shown(service.anonymous, period=period) == [(83_250, "second best")]


@pytest.mark.usefixtures("moderator")
async def test_every_list_of_entries_has_it(service: Service, server: Player):
    ada = (await record(server, "ada", 83_250, "a"))["user"]["id"]
    bob = (await record(server, "bob", 84_000, "b"))["user"]["id"]
    board = (await service.anonymous.ask(NESTED, id=ada, ids=[ada, bob]))["leaderboard"]
    expected = [{"replay": "a"}, {"replay": "b"}]
    assert [entry["metadata"] for entry in board["around"]] == expected
    assert [entry["metadata"] for entry in board["standings"]["nodes"]] == expected
    assert [one["entry"]["metadata"] for one in board["friends"]] == expected


async def test_a_moderator_removes_it_and_that_is_recorded(service: Service, server: Player, moderator: Player):
    ada = (await record(server, "ada", 83_250, "rude"))["user"]["id"]
    await record(server, "bob", 84_000, "polite")
    assert await shown(service.anonymous) == [(83_250, "rude"), (84_000, "polite")]
    removed = (await moderator.ask(REMOVE, id=ada))["removeMetadata"]
    assert removed == {"removed": 1, "user": {"username": "ada"}}
    assert await shown(service.anonymous) == [(83_250, None), (84_000, "polite")]
    newest = (await moderator.ask(TRANSACTIONS, id=ada))["transactions"]["edges"][0]["node"]
    assert newest == {"kind": "METADATA_REMOVAL", "delta": 0, "reason": "not a replay"}
    assert (await moderator.ask(REMOVE, id=ada))["removeMetadata"]["removed"] == 0
    assert (await service.player("ada").fails(REMOVE, id=ada))["code"] == "FORBIDDEN"


async def test_that_of_hidden_players_is_shown_to_nobody(service: Service, server: Player, moderator: Player):
    ada = (await record(server, "ada", 83_250, "a"))["user"]["id"]
    assert await shown(service.anonymous) == [(83_250, "a")]
    await moderator.ask(HIDE, id=ada)
    assert await shown(service.anonymous) == []
    await moderator.ask(UNHIDE, id=ada)
    assert await shown(service.anonymous) == [(83_250, "a")]


async def test_it_is_exported_and_erased_with_the_player(service: Service, server: Player, moderator: Player):
    ada = (await record(server, "ada", 83_250, "a"))["user"]["id"]
    export = (await moderator.ask(DELETE, id=ada))["deleteUser"]["export"]
    (exported,) = export["entryMetadata"]
    assert (exported["category"], json.loads(exported["metadata"])) == (RACES, {"replay": "a"})
    assert await rows(service) == 0


async def test_a_category_that_stops_showing_it_has_none(service: Service, server: Player, moderator: Player):
    await record(server, "ada", 83_250, "a")
    await moderator.ask(SAVE_CATEGORY, input={"id": RACES, "entryMetadata": False, "reason": "no replays"})
    assert await shown(service.anonymous) == [(83_250, None)]
    await moderator.ask(SAVE_CATEGORY, input={"id": RACES, "entryMetadata": True, "reason": "replays"})
    assert await shown(service.anonymous) == [(83_250, "a")]


@pytest.mark.usefixtures("moderator")
async def test_text_is_data(service: Service, server: Player):
    hostile = '<script>alert("1")</script>\u202e\'; DROP TABLE entry_metadata; --'
    await record(server, "ada", 83_250, hostile)
    assert await shown(service.anonymous) == [(83_250, hostile)]
