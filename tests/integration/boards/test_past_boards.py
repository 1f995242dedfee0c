"""The all-time board as it stood at any instant: made anew from the ledger, equal to what everybody saw then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.config import Settings
from app.domain.boards.board import Board, Entry, Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.wiring import App
from tests.support.boards.award_points import award, correct, enlist, set_category
from tests.support.boards.board_rows import user_id
from tests.support.graphql.schema_client import Asker
from tests.support.manual_clock import WallClock
from tests.support.service import opened

START = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
WHOLE = Slice(0, 100)

AT = """
query At($at: DateTime!, $user: ID!, $friends: [ID!]!, $after: String) {
  leaderboard(at: $at, limit: 2) {
    id source asOf totalUsers
    entries { rank score user { username } }
    around(userId: $user, radius: 1) { rank competitionRank score }
    standings(first: 2, after: $after) { nodes { rank score } totalCount pageInfo { endCursor } }
    friends(userIds: $friends) { rank entry { rank score } }
  }
  userRank(userId: $user, at: $at) { rank score totalUsers }
}
"""


@pytest.fixture
def clock() -> WallClock:
    return WallClock(START)


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock) as app:
        await enlist(app, *range(1, 9))
        yield app


async def entries(app: App, board: Board) -> list[Entry]:
    page = await app.board_reader.page(board, WHOLE)
    assert page.total_users == len(page.entries)
    return list(page.entries)


def now(app: App) -> Board:
    return board_of("global", Period.ALL_TIME, app.clock())


def then(at: datetime) -> Board:
    return Board("global", board_of("global", Period.ALL_TIME, at).window, at)


steps = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([10, 20, 30]), st.sampled_from([1, 2, 1_000_000]), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=steps,
    operator=st.sampled_from(["SUM", "BEST", "LATEST"]),
    sort_order=st.sampled_from(["HIGH_FIRST", "LOW_FIRST"]),
)
async def test_every_instant_shows_the_board_that_stood_then(
    app: App, clock: WallClock, steps: list[tuple[int, int, int, bool]], operator: str, sort_order: str
):
    clock.advance(hours=1)  # what PostgreSQL says of an instant is remembered for a second
    await _forget_everything(app)
    await set_category(app, "global", operator=operator, sort_order=sort_order)
    began = clock()
    seen: dict[datetime, list[Entry]] = {}
    for player, points, pause, corrected in steps:
        clock.advance(microseconds=pause)
        await award(app, player, points)
        if corrected:
            clock.advance(microseconds=1)  # Two transactions of one user never have the same time.
            await correct(app, player, -10, now(app))
        seen[clock()] = await entries(app, now(app))
    clock.advance(hours=1)
    assert await entries(app, then(began)) == []
    for instant, board in seen.items():
        assert await entries(app, then(instant)) == board
    assert await entries(app, then(clock())) == seen[max(seen)]


async def test_a_board_of_the_past_answers_all_that_a_board_answers(app: App, clock: WallClock):
    for number in range(1, 6):
        clock.advance(seconds=1)
        await award(app, number, 60 - 10 * number)
    past = clock()
    clock.advance(days=3)
    for number in range(1, 8):
        await award(app, number, 7 * number)
    asker = Asker(app)
    ids = {"user": str(user_id(4)), "friends": [str(user_id(number)) for number in (5, 2, 7)]}
    answer = await asker.ask(AT, at=past.isoformat(), **ids)
    board: dict[str, Any] = answer["leaderboard"]
    assert (board["source"], board["totalUsers"]) == ("POSTGRES", 5)
    assert datetime.fromisoformat(board["asOf"]) == past
    assert [(entry["rank"], entry["score"]) for entry in board["entries"]] == [(1, 50), (2, 40)]
    assert [(entry["rank"], entry["score"]) for entry in board["around"]] == [(3, 30), (4, 20), (5, 10)]
    assert [(one["rank"], one["entry"]["rank"]) for one in board["friends"]] == [(1, 2), (2, 5)]
    assert answer["userRank"] == {"rank": 4, "score": 20, "totalUsers": 5}
    after = board["standings"]["pageInfo"]["endCursor"]
    onwards = (await asker.ask(AT, at=past.isoformat(), after=after, **ids))["leaderboard"]["standings"]
    assert [(node["rank"], node["score"]) for node in onwards["nodes"]] == [(3, 30), (4, 20)]
    other_instant = (past + timedelta(seconds=1)).isoformat()
    assert await asker.fails(AT, at=other_instant, after=after, **ids) == "BAD_USER_INPUT"


async def test_between_the_instants_around_a_closed_window_lies_what_was_scored_in_it(app: App, clock: WallClock):
    for day in range(3):
        for number in range(1, 6):
            clock.now = START + timedelta(days=day, hours=number * 4)
            await award(app, number, 10 + day * number)
    clock.now = START + timedelta(days=3, minutes=1)
    closed = await app.close_windows()
    days = [board for board in closed if board.window.period is Period.DAILY]
    assert len(days) == 3
    for board in days:
        assert board.window.starts_at is not None
        assert board.window.ends_at is not None
        final = {entry.user.id: entry.score for entry in await entries(app, board)}
        before = await _scores(app, board.window.starts_at - timedelta(microseconds=1))
        after = await _scores(app, board.window.ends_at - timedelta(microseconds=1))
        assert final == {user: score - before.get(user, 0) for user, score in after.items()}


async def test_who_is_hidden_today_is_hidden_in_the_past(app: App, clock: WallClock):
    for number in (1, 2, 3):
        clock.advance(seconds=1)
        await award(app, number, 10 * number)
    past = clock()
    clock.advance(seconds=1)
    await award(app, 2, 50)
    async with app.database.begin() as connection:
        hidden = {"user": user_id(2), "now": clock()}
        await connection.execute(text("UPDATE users SET hidden_at = :now WHERE id = :user"), hidden)
        await connection.execute(text("UPDATE scores SET hidden = true WHERE user_id = :user"), {"user": user_id(2)})
    assert [(entry.rank, entry.score) for entry in await entries(app, then(past))] == [(1, 30), (2, 10)]


async def test_a_board_of_the_past_is_not_asked_of_redis(app: App, clock: WallClock):
    await award(app, 1, 10)
    past = clock()
    clock.advance(seconds=5)
    page = await app.board_reader.page(then(past), WHOLE)
    assert (page.source, page.as_of, len(page.entries)) == (Source.POSTGRES, past, 1)


async def _scores(app: App, at: datetime) -> dict[UUID, int]:
    return {entry.user.id: entry.score for entry in await entries(app, then(at))}


async def _forget_everything(app: App) -> None:
    """A fresh start for the next example: nobody has played."""
    async with app.database.begin() as connection:
        await connection.execute(text("TRUNCATE scores, score_transactions, milestones CASCADE"))
        await connection.execute(text("UPDATE users SET ledger_seq = 0, ledger_hash = ''"))
    await app.rebuild.rebuild(app.catalogue.current.category("global"), force=True)
    app.account_cache.invalidate_all()
