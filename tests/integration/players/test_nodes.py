"""Any object by its id: what `node` returns, to whom, and that no two objects share an id."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.ledger.transactions import Actor
from app.domain.users import Caller, Role
from app.runtime import utc_now
from app.wiring import App
from tests.support.boards.award_points import award, enlist
from tests.support.boards.board_rows import user_id
from tests.support.graphql.schema_client import Asker
from tests.support.service import caller

NODE = """
query Node($id: ID!) {
  node(id: $id) {
    id __typename
    ... on User { username }
    ... on PlayerProfile { actions user { id } }
    ... on Leaderboard { totalUsers entries { rank } standings(first: 1) { nodes { rank } pageInfo { endCursor } } }
    ... on LeaderboardEntry { rank score }
    ... on UserRank { place: rank score }
    ... on Category { name }
    ... on Action { actionType }
    ... on Transaction { seq delta }
    ... on Viewer { role }
  }
}
"""
IDS = """
query Ids($user: ID!, $at: DateTime!) {
  categories { id }
  actions { id difficulties { id } }
  user(id: $user) { id user { id } totals { id } achievements { id } }
  userRank(userId: $user) { id }
  yesterday: leaderboard(period: DAILY, at: $at) { id }
  past: leaderboard(at: $at) { id }
  today: leaderboard(period: DAILY) { id entries { id user { id } } }
  leaderboard { id entries { id } around { id } me { id } standings { nodes { id } } }
  transactions(userId: $user) { nodes { id } }
  me { id user { id } limits { id } rank { id } }
}
"""


UNKNOWN = "8f3c2b1a-0000-4000-8000-000000000001"
MODERATOR = Actor(None, "moderator")


def somebody(number: int, role: Role = Role.PLAYER) -> Caller:
    return Caller(user_id(number), f"player-{number}", None, role, caller().expires_at)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects of an answer."""
    if isinstance(value, list):
        for item in value:
            yield from objects(item)
    elif isinstance(value, dict):
        yield value
        for item in value.values():
            yield from objects(item)


@pytest.fixture
async def asker(app: App) -> Asker:
    """The first of three players, with a score of 50."""
    await enlist(app, 1, 2, 3)
    await award(app, 1, 50)
    await award(app, 2, 80)
    return Asker(app, somebody(1))


def with_typenames(query: str) -> str:
    return query.replace("id ", "id __typename ").replace("id }", "id __typename }")


async def test_no_two_types_share_an_id_and_node_returns_each_node_again(app: App, asker: Asker):
    at = (utc_now() - timedelta(days=1)).isoformat()
    answer = await asker.ask(with_typenames(IDS), user=str(user_id(1)), at=at)
    found: dict[str, str] = {}
    for one in objects(answer):
        if "id" in one:
            assert found.setdefault(one["id"], one["__typename"]) == one["__typename"]
    assert {"User", "PlayerProfile", "Leaderboard", "LeaderboardEntry", "UserRank", "Transaction"} <= set(
        found.values()
    )
    for node_id, kind in found.items():
        node = (await asker.ask(NODE, id=node_id))["node"]
        if kind in ("Allowance", "CategoryTotals", "Difficulty", "Milestone"):
            assert node is None
        else:
            assert (node["id"], node["__typename"]) == (node_id, kind)


async def test_a_board_is_read_again_with_its_nested_fields_and_paged_through(app: App, asker: Asker):
    board = (await asker.ask("{ leaderboard(limit: 1) { id } }"))["leaderboard"]["id"]
    node = (await asker.ask(NODE, id=board))["node"]
    assert (node["totalUsers"], node["entries"]) == (2, [{"rank": 1}])
    assert node["standings"]["nodes"] == [{"rank": 1}]
    query = """query Page($id: ID!, $after: String, $first: Int) { again: node(id: $id) { ... on Leaderboard {
      page: standings(first: $first, after: $after) { nodes { rank } } } } }"""
    page = await asker.ask(query, id=board, after=node["standings"]["pageInfo"]["endCursor"], first=None)
    assert page["again"]["page"]["nodes"] == [{"rank": 2}]


async def test_several_nodes_keep_their_order_and_their_own_nested_fields(app: App, asker: Asker):
    boards = await asker.ask("{ a: leaderboard { id } b: leaderboard(period: DAILY) { id } }")
    query = """query Nodes($ids: [ID!]!) { nodes(ids: $ids) { __typename id
      ... on User { username } ... on Leaderboard { me { rank } standings(first: 1) { nodes { rank } } } } }"""
    ids = [boards["b"]["id"], str(user_id(2)), "nothing", boards["a"]["id"], "User:1", "Unknown:1"]
    nodes = (await asker.ask(query, ids=ids))["nodes"]
    assert [node and node["__typename"] for node in nodes] == ["Leaderboard", "User", None, "Leaderboard", None, None]
    assert [node["standings"]["nodes"] for node in (nodes[0], nodes[3])] == [[{"rank": 1}], [{"rank": 1}]]
    assert nodes[3]["me"] == {"rank": 2}
    assert nodes[1]["username"] == "player-2"


async def test_more_nodes_than_allowed_are_refused(asker: Asker):
    assert await asker.fails("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["x"] * 51) == "BAD_USER_INPUT"


async def test_what_others_may_not_see_is_no_node_for_them(app: App, asker: Asker):
    query = "query($id: ID!) { me { id } transactions(userId: $id) { nodes { id } } }"
    mine = await asker.ask(query, id=str(user_id(1)))
    transaction = mine["transactions"]["nodes"][0]["id"]
    moderator = Asker(app, somebody(3, Role.MODERATOR))
    for other, sees in ((Asker(app), False), (Asker(app, somebody(2)), False), (moderator, True)):
        assert ((await other.ask(NODE, id=transaction))["node"] is not None) is sees
        assert (await other.ask(NODE, id=mine["me"]["id"]))["node"] is None
    await app.moderation.visibility.hide(MODERATOR, user_id(2), "a bot")
    profile = f"PlayerProfile:{user_id(2)}"
    entry = f"LeaderboardEntry:global/ALL_TIME/{user_id(2)}"
    for node_id in (str(user_id(2)), profile):
        assert (await asker.ask(NODE, id=node_id))["node"] is None
        assert (await Asker(app, somebody(2)).ask(NODE, id=node_id))["node"] is not None
        assert (await moderator.ask(NODE, id=node_id))["node"] is not None
    assert (await moderator.ask(NODE, id=entry))["node"] is None
    rank = await asker.ask(
        "query($id: ID!) { node(id: $id) { ... on UserRank { user { username } } } }",
        id=f"UserRank:global/ALL_TIME/{user_id(2)}",
    )
    assert rank["node"]["user"]["username"] == "Hidden player"


NOTHING = [
    "",
    ":",
    "User",
    "Leaderboard:",
    "Leaderboard:global/ALL_TIME",
    "Leaderboard:global/ALL_TIME?offset=0&limit=1000",
    "Leaderboard:global/ALL_TIME?offset=00&limit=10&limit=10",
    "Leaderboard:nowhere/ALL_TIME?offset=0&limit=10",
    "Leaderboard:global/DAILY:2999-01-01?offset=0&limit=10",
    "Leaderboard:global/DAILY:2026-1-1?offset=0&limit=10",
    "Leaderboard:global/DAILY:2026-01-01@2026-01-01T00:00:00+00:00?offset=0&limit=10",
    "Leaderboard:global/ALL_TIME@2026-01-01T00:00:00?offset=0&limit=10",
    "Leaderboard:global/ALL_TIME@2999-01-01T00:00:00+00:00?offset=0&limit=10",
    "Leaderboard:global/ALL_TIME@2026-01-01T00:00:00.5+00:00?offset=0&limit=10",
    "LeaderboardEntry:global/ALL_TIME/",
    f"LeaderboardEntry:global/ALL_TIME/{UNKNOWN}",
    f"UserRank:global/ALL_TIME/{UNKNOWN}",
    f"UserRank:/{UNKNOWN}",
    "PlayerProfile:x",
    f"PlayerProfile:{UNKNOWN}",
    f"HeldScore:{UNKNOWN}",
    f"Flag:{UNKNOWN}",
    f"CatalogueChange:{UNKNOWN}",
    "Action:NOTHING",
    UNKNOWN,
    "\u0661",
    "x" * 5000,
]


async def test_an_id_of_nothing_is_null(app: App, asker: Asker):
    for who in (asker, Asker(app), Asker(app, somebody(3, Role.MODERATOR))):
        for node_id in NOTHING:
            assert (await who.ask(NODE, id=node_id))["node"] is None, node_id


async def test_an_entry_of_a_window_is_found_by_its_id(app: App, asker: Asker):
    key = board_of("global", Period.WEEKLY, utc_now()).key
    node = (await asker.ask(NODE, id=f"LeaderboardEntry:{key}/{user_id(1)}"))["node"]
    assert (node["rank"], node["score"]) == (2, 50)
