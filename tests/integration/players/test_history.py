"""A player's past: the score over time, places in windows that are over, and who may read the ledger."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.config import Settings
from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.users import Caller, Role
from app.wiring import App
from tests.support.boards.award_points import award, correct, enlist, set_category
from tests.support.boards.board_rows import user_id
from tests.support.graphql.schema_client import Asker
from tests.support.manual_clock import WallClock
from tests.support.service import opened

SCORES = """
query Scores($user: ID!, $from: DateTime!, $to: DateTime!, $step: Step! = DAY, $category: String! = "global") {
  scoreHistory(userId: $user, from: $from, to: $to, step: $step, category: $category) {
    step trend averageDailyGain user { username } category { id } points { startsAt score gained }
  }
}
"""
RANKS = """
query Ranks($user: ID!, $from: DateTime!, $to: DateTime!, $period: Period! = DAILY) {
  rankHistory(userId: $user, from: $from, to: $to, period: $period) {
    bestRank points { startsAt endsAt rank competitionRank score totalUsers }
  }
}
"""
TRANSACTIONS = """
query Transactions($user: ID!, $first: Int! = 20, $after: String) {
  transactions(userId: $user, first: $first, after: $after) {
    nodes { id seq kind category actionType points delta score actorRole reason createdAt }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
DAY = timedelta(days=1)
START = datetime.combine(datetime.now(UTC).date() + DAY, datetime.min.time(), UTC)


@pytest.fixture
def clock() -> WallClock:
    return WallClock(START)


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock) as app:
        await enlist(app, *range(1, 8))
        yield app


@pytest.fixture
def asker(app: App) -> Asker:
    return Asker(app)


def uid(number: int) -> str:
    return str(user_id(number))


def somebody(number: int, role: Role = Role.PLAYER) -> Caller:
    return Caller(user_id(number), f"player-{number}", None, role, int(time.time()) + 3600)


async def scores(asker: Asker, begin: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    answer = await asker.ask(SCORES, **{"user": uid(1), "from": begin.isoformat(), "to": end.isoformat()} | more)
    history: dict[str, Any] = answer["scoreHistory"]
    return history


async def ranks(asker: Asker, number: int, days: int, **more: Any) -> list[tuple[int, int, int, int]]:
    span = {"from": START.isoformat(), "to": (START + days * DAY).isoformat()}
    points = (await asker.ask(RANKS, user=uid(number), **span, **more))["rankHistory"]["points"]
    return [(point["rank"], point["competitionRank"], point["score"], point["totalUsers"]) for point in points]


async def test_the_score_over_time_has_a_point_per_step_and_a_trend(app: App, asker: Asker, clock: WallClock):
    for hours, points in ((1, 10), (2, 5), (26, 30), (80, 7)):
        clock.now = START + timedelta(hours=hours)
        await award(app, 1, points)
        await award(app, 2, 50)
    history = await scores(asker, START, START + 10 * DAY)
    assert [(point["score"], point["gained"]) for point in history["points"]] == [(15, 15), (45, 30), (45, 0), (52, 7)]
    assert (history["trend"], history["user"]["username"]) == ("INCREASING", "player-1")
    assert history["averageDailyGain"] == pytest.approx(52 / (80 / 24))
    later = await scores(asker, START + DAY, START + 3 * DAY)
    assert [(point["score"], point["gained"]) for point in later["points"]] == [(45, 30), (45, 0)]
    assert later["averageDailyGain"] == 15
    flat = await scores(asker, START + 2 * DAY, START + 3 * DAY)
    assert (flat["trend"], flat["averageDailyGain"]) == ("FLAT", 0)


async def test_steps_are_hours_days_or_weeks(app: App, asker: Asker, clock: WallClock):
    for hours in range(0, 24 * 15, 12):
        clock.now = START + timedelta(hours=hours)
        await award(app, 1, 1)
    hours_of_a_day = (await scores(asker, START, START + DAY, step="HOUR"))["points"]
    assert [point["gained"] for point in hours_of_a_day] == [1, *[0] * 11, 1, *[0] * 11]
    weeks = (await scores(asker, START, START + 15 * DAY, step="WEEK"))["points"]
    assert all(datetime.fromisoformat(point["startsAt"]).isoweekday() == 1 for point in weeks)
    assert sum(point["gained"] for point in weeks) == weeks[-1]["score"] == 30


async def test_a_correction_is_seen_as_a_decrease(app: App, asker: Asker, clock: WallClock):
    await award(app, 1, 50)
    clock.advance(days=1)
    await correct(app, 1, -20, board_of("global", Period.ALL_TIME, clock()))
    history = await scores(asker, START + DAY, START + 2 * DAY)
    assert history["trend"] == "DECREASING"
    assert history["points"] == [{"startsAt": (START + DAY).isoformat(), "score": 30, "gained": -20}]


async def test_histories_are_bounded_and_about_users_who_exist(asker: Asker):
    async def fails(query: str, begin: datetime, end: datetime, **more: Any) -> str:
        span = {"from": begin.isoformat(), "to": end.isoformat()}
        return await asker.fails(query, **{"user": uid(1)} | span | more)

    assert await fails(SCORES, START, START) == "BAD_USER_INPUT"
    assert await fails(SCORES, START - 800 * DAY, START) == "BAD_USER_INPUT"
    assert await fails(SCORES, START - DAY, START, user=uid(99)) == "USER_NOT_FOUND"
    assert await fails(SCORES, START - DAY, START, category="nowhere") == "CATEGORY_NOT_FOUND"
    assert await fails(RANKS, START - DAY, START, user=uid(99)) == "USER_NOT_FOUND"
    assert await fails(RANKS, START - DAY, START, period="ALL_TIME") == "BAD_USER_INPUT"
    assert await fails(RANKS, START - 800 * DAY, START) == "BAD_USER_INPUT"


async def test_ranks_of_the_past_are_those_of_the_closed_windows_own_boards(app: App, asker: Asker, clock: WallClock):
    played = [{1: 50, 2: 50, 3: 30, 4: 30, 5: 10}, {2: 10, 1: 20, 3: 20}, {3: 5}]
    for points in played:
        for number, score in points.items():
            clock.advance(seconds=1)
            await award(app, number, score)
        clock.now = datetime.combine(clock().date() + DAY, datetime.min.time(), UTC)
    clock.advance(seconds=30)
    assert await ranks(asker, 1, 5) == []  # nothing is closed yet
    await app.close_windows()
    assert await ranks(asker, 1, 5) == [(1, 1, 50, 5), (1, 1, 20, 3)]
    assert await ranks(asker, 2, 5) == [(2, 1, 50, 5), (3, 3, 10, 3)]
    assert await ranks(asker, 3, 5) == [(3, 3, 30, 5), (2, 1, 20, 3), (1, 1, 5, 1)]
    assert await ranks(asker, 6, 5) == []
    assert await ranks(asker, 3, 2) == [(3, 3, 30, 5), (2, 1, 20, 3)]
    query = """query At($at: DateTime!, $user: ID!) {
      userRank(userId: $user, period: DAILY, at: $at) { rank competitionRank score totalUsers }
    }"""
    for number in (1, 2, 3):
        for rank, competition_rank, score, total in await ranks(asker, number, 1):
            place = (await asker.ask(query, at=START.isoformat(), user=uid(number)))["userRank"]
            assert place == {
                "rank": rank, "competitionRank": competition_rank, "score": score, "totalUsers": total
            }  # fmt: skip


async def test_where_the_lowest_leads_ranks_of_the_past_follow(app: App, asker: Asker, clock: WallClock):
    await set_category(app, "global", sort_order="LOW_FIRST", operator="BEST")
    for number, seconds in ((1, 90), (2, 70), (3, 90), (1, 95), (2, 60)):
        clock.advance(seconds=1)
        await award(app, number, seconds)
    clock.advance(days=2)
    await app.close_windows()
    assert [await ranks(asker, number, 2) for number in (1, 2, 3)] == [
        [(2, 2, 90, 3)], [(1, 1, 60, 3)], [(3, 2, 90, 3)]
    ]  # fmt: skip


async def test_a_player_reads_their_own_transactions_page_by_page(app: App, clock: WallClock):
    for number in range(7):
        clock.advance(seconds=1)
        await award(app, 1, 10 + number)
    asker = Asker(app, somebody(1))
    seen: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await asker.ask(TRANSACTIONS, user=uid(1), first=3, after=after))["transactions"]
        seen += page["nodes"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert [node["seq"] for node in seen] == [7, 6, 5, 4, 3, 2, 1]
    assert [node["delta"] for node in seen] == [16, 15, 14, 13, 12, 11, 10]
    assert seen[0]["score"] == sum(range(10, 17))
    assert (seen[0]["kind"], seen[0]["category"], seen[0]["actorRole"]) == ("SERVER_ACTION", "global", "SERVER")


async def test_somebody_elses_transactions_are_for_moderators(app: App, clock: WallClock):
    await award(app, 1, 50)
    clock.advance(seconds=1)
    await correct(app, 1, -20, board_of("global", Period.ALL_TIME, clock()))
    assert await Asker(app).fails(TRANSACTIONS, user=uid(1)) == "UNAUTHENTICATED"
    for role in (Role.PLAYER, Role.SERVER):
        assert await Asker(app, somebody(2, role)).fails(TRANSACTIONS, user=uid(1)) == "FORBIDDEN"
    moderator, owner = Asker(app, somebody(2, Role.MODERATOR)), Asker(app, somebody(1))
    reasons = [
        [node["reason"] for node in (await asker.ask(TRANSACTIONS, user=uid(1)))["transactions"]["nodes"]]
        for asker in (moderator, owner)
    ]
    assert reasons == [["test", None], [None, None]]
    assert await moderator.fails(TRANSACTIONS, user=uid(99)) == "USER_NOT_FOUND"


async def test_a_page_of_transactions_is_bounded_and_its_cursor_is_the_users_own(app: App):
    await award(app, 1, 50)
    await award(app, 2, 50)
    asker = Asker(app, somebody(1))
    assert await asker.fails(TRANSACTIONS, user=uid(1), first=0) == "BAD_USER_INPUT"
    assert await asker.fails(TRANSACTIONS, user=uid(1), first=101) == "BAD_USER_INPUT"
    theirs = await Asker(app, somebody(2)).ask(TRANSACTIONS, user=uid(2))
    cursor = theirs["transactions"]["pageInfo"]["endCursor"]
    assert await asker.fails(TRANSACTIONS, user=uid(1), after=cursor) == "BAD_USER_INPUT"
    new = Asker(app, somebody(7))
    assert (await new.ask(TRANSACTIONS, user=uid(7)))["transactions"]["nodes"] == []
