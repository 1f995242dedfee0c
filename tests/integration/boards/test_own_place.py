"""Places on a board: the caller's own without an id, and jumps to a rank or a score."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from app.domain.users import Caller
from app.execution import Engine
from app.graphql import build_engine, build_schema
from app.wiring import App
from tests.support.boards.board_rows import Row, all_time, move, put_rows, rows_of, user_id
from tests.support.graphql.schema_client import Asker
from tests.support.service import caller

MINE = "{ leaderboard(limit: 1) { me { rank score user { id } } around(radius: 1) { rank } } }"
UPDATES = """
subscription { leaderboardUpdates(limit: 1) { kind leaderboard { me { rank score } around(radius: 1) { rank } } } }
"""
USER_UPDATES = "subscription { userUpdates { kind rank score } }"
JUMP = """
query Jump($category: String! = "global", $rank: Int, $score: Score, $first: Int) {
  leaderboard(category: $category) {
    standings(first: $first, atRank: $rank, atScore: $score) {
      nodes { rank score } pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
    }
  }
}
"""


def player(number: int) -> Caller:
    return Caller(user_id(number), f"player-{number}", None, caller().role, caller().expires_at)


@pytest.fixture
async def app_with_scores(app: App) -> App:
    await put_rows(app, rows_of(50, 50, 30, 30, 10))
    return app


async def test_callers_see_their_own_place_without_an_id(app_with_scores: App):
    board = (await Asker(app_with_scores, player(4)).ask(MINE))["leaderboard"]
    assert board["me"] == {"rank": 4, "score": 30, "user": {"id": str(user_id(4))}}
    assert [entry["rank"] for entry in board["around"]] == [3, 4, 5]


async def test_who_is_anonymous_or_has_no_score_has_no_place(app_with_scores: App):
    for asker in (Asker(app_with_scores), Asker(app_with_scores, player(99))):
        assert (await asker.ask(MINE))["leaderboard"] == {"me": None, "around": []}
        assert (await asker.ask("{ me { rank { rank } } }"))["me"] in (None, {"rank": {"rank": None}})
    assert (await Asker(app_with_scores).ask("{ me { id user { id } openTokens } }"))["me"] is None


async def test_the_rank_of_the_caller_is_that_of_the_board_asked_for(app_with_scores: App):
    asker = Asker(app_with_scores, player(5))
    query = """query($period: Period! = ALL_TIME, $category: String! = "global") {
      me { rank(category: $category, period: $period) { rank score totalUsers } } }"""
    assert (await asker.ask(query))["me"]["rank"] == {"rank": 5, "score": 10, "totalUsers": 5}
    assert (await asker.ask(query, period="DAILY"))["me"]["rank"] == {"rank": None, "score": 0, "totalUsers": 0}
    assert await asker.fails(query, category="nowhere") == "CATEGORY_NOT_FOUND"


async def test_the_own_place_is_live_and_belongs_to_each_viewer(app_with_scores: App):
    app = app_with_scores
    async with (
        aclosing(Asker(app, player(4)).watch(UPDATES)) as fourth,
        aclosing(Asker(app, player(5)).watch(UPDATES)) as fifth,
        aclosing(Asker(app).watch(UPDATES)) as nobody,
    ):
        for messages, me in ((fourth, {"rank": 4, "score": 30}), (fifth, {"rank": 5, "score": 10}), (nobody, None)):
            assert (await anext(messages))["leaderboardUpdates"]["leaderboard"]["me"] == me
        await move(app, all_time(), Row(5, 40, 6), revision=2)
        for messages, me in ((fourth, {"rank": 5, "score": 30}), (fifth, {"rank": 3, "score": 40})):
            assert (await anext(messages))["leaderboardUpdates"]["leaderboard"]["me"] == me


async def test_updates_of_a_user_are_those_of_the_caller_without_an_id(app_with_scores: App):
    async with aclosing(Asker(app_with_scores, player(5)).watch(USER_UPDATES)) as messages:
        assert (await anext(messages))["userUpdates"] == {"kind": "SNAPSHOT", "rank": 5, "score": 10}
    assert await Asker(app_with_scores).refused(USER_UPDATES) == "UNAUTHENTICATED"


async def test_a_caller_who_has_not_done_anything_yet_can_watch_the_own_place(app_with_scores: App):
    newcomer = player(6)
    query = "subscription { userUpdates { rank score user { username } } }"
    async with aclosing(Asker(app_with_scores, newcomer).watch(query)) as messages:
        first = {"rank": None, "score": 0, "user": {"username": newcomer.username}}
        assert (await anext(messages))["userUpdates"] == first
        await move(app_with_scores, all_time(), Row(6, 40, 7), revision=2)
        assert (await anext(messages))["userUpdates"]["rank"] == 3
    by_id = "subscription($user: ID!) { userUpdates(userId: $user) { rank } }"
    assert await Asker(app_with_scores).refused(by_id, user=str(user_id(9))) == "USER_NOT_FOUND"


@pytest.fixture
def engine() -> Engine:
    return build_engine(build_schema(), introspection=True, compile=True)


@pytest.mark.parametrize(
    ("document", "shared"),
    [
        ("subscription { leaderboardUpdates { leaderboard { entries { rank } } } }", True),
        ("subscription { leaderboardUpdates { leaderboard { me { rank } } } }", False),
        ("subscription { leaderboardUpdates { leaderboard { around { rank } } } }", False),
        ("subscription($u: ID!) { leaderboardUpdates { leaderboard { around(userId: $u) { rank } } } }", True),
        ("subscription($u: ID) { leaderboardUpdates { leaderboard { around(userId: $u) { rank } } } }", False),
        ("subscription($u: ID!) { userUpdates(userId: $u) { rank } }", True),
        ("subscription { userUpdates { rank } }", False),
        ("{ leaderboard { standings(atRank: 5) { totalCount } } }", True),
    ],
)
def test_only_what_shows_the_viewer_is_executed_for_each_viewer(engine: Engine, document: str, shared: bool):
    assert engine.prepare(document).shared is shared


async def jump(asker: Asker, **variables: Any) -> list[int]:
    page = (await asker.ask(JUMP, **variables))["leaderboard"]["standings"]
    return [node["rank"] for node in page["nodes"]]


@pytest.mark.parametrize("redis", [True, False])
async def test_standings_begin_where_they_are_asked_to(app_with_scores: App, redis: bool):
    app = app_with_scores
    asker = Asker(app)
    if not redis:
        await app.redis.flushdb()
    assert await jump(asker, rank=1, first=2) == [1, 2]
    assert await jump(asker, rank=4) == [4, 5]
    assert await jump(asker, rank=6) == []
    assert await jump(asker, score=1000) == [1, 2, 3, 4, 5]
    assert await jump(asker, score=50, first=1) == [1]
    assert await jump(asker, score=49, first=2) == [3, 4]
    assert await jump(asker, score=30) == [3, 4, 5]
    assert await jump(asker, score=0) == []
    assert await asker.fails(JUMP, rank=0) == "BAD_USER_INPUT"
    assert await asker.fails(JUMP, rank=1, score=1) == "BAD_USER_INPUT"


async def test_a_page_that_was_jumped_to_can_be_left_in_both_directions(app_with_scores: App):
    asker = Asker(app_with_scores)
    page = (await asker.ask(JUMP, rank=3, first=1))["leaderboard"]["standings"]["pageInfo"]
    assert (page["hasPreviousPage"], page["hasNextPage"]) == (True, True)
    query = """query($after: String, $before: String, $first: Int, $last: Int) { leaderboard {
      standings(after: $after, before: $before, first: $first, last: $last) { nodes { rank } } } }"""
    # Relay sends null for the arguments of the other direction.
    onward = await asker.ask(query, after=page["endCursor"], first=10, last=None, before=None)
    back = await asker.ask(query, before=page["startCursor"], last=10, first=None, after=None)
    assert [node["rank"] for node in onward["leaderboard"]["standings"]["nodes"]] == [4, 5]
    assert [node["rank"] for node in back["leaderboard"]["standings"]["nodes"]] == [1, 2]
