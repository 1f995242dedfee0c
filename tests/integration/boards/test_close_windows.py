"""Windows: empty when they begin, frozen when they end, closed once and in order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from app.config import Settings
from app.wiring import App
from tests.support.boards.award_points import award, enlist
from tests.support.boards.board_rows import user_id
from tests.support.graphql.schema_client import Asker
from tests.support.manual_clock import WallClock
from tests.support.service import opened
from tests.support.wait_until import TIMEOUT

BOARD = """
query Board($period: Period! = DAILY, $at: DateTime, $user: ID!) {
  leaderboard(period: $period, at: $at) {
    id source startsAt endsAt totalUsers
    entries { rank competitionRank score user { username } }
    around(userId: $user, radius: 1) { rank score }
    standings(first: 2) { nodes { rank score } totalCount pageInfo { hasNextPage } }
  }
  userRank(userId: $user, period: $period, at: $at) { rank score usersAbove usersBelow totalUsers percentile }
}
"""
UPDATES = """
subscription {
  leaderboardUpdates(period: DAILY) { kind leaderboard { startsAt entries { score user { username } } } }
}
"""
CLOSINGS = text(
    "SELECT category_id, period, window_start, total_users, closed_at FROM window_closings ORDER BY 1, 2, 3"
)
MIDNIGHT = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
EVENING = MIDNIGHT - timedelta(minutes=1)
FIRST_DAY = EVENING.date()


@pytest.fixture
def clock() -> WallClock:
    return WallClock(EVENING)


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock, housekeeping=False) as app:
        await enlist(app, *range(1, 6))
        yield app


@pytest.fixture
def asker(app: App) -> Asker:
    return Asker(app)


async def ask(asker: Asker, at: datetime | None = None, user: int = 2, period: str = "DAILY") -> dict[str, Any]:
    return await asker.ask(BOARD, at=at and at.isoformat(), user=str(user_id(user)), period=period)


def scores(answer: dict[str, Any]) -> list[int]:
    return [entry["score"] for entry in answer["leaderboard"]["entries"]]


async def closings(app: App) -> list[tuple[str, str, date, int]]:
    async with app.database.connect() as connection:
        return [tuple(row[:4]) for row in await connection.execute(CLOSINGS)]


async def test_a_new_window_starts_empty_while_the_old_one_still_answers(app: App, asker: Asker, clock: WallClock):
    for number, points in enumerate([50, 50, 30], 1):
        await award(app, number, points)
    before = await ask(asker)
    clock.now = MIDNIGHT
    today = await ask(asker)
    assert (scores(today), today["leaderboard"]["totalUsers"]) == ([], 0)
    assert today["userRank"] == {
        "rank": None, "score": 0, "usersAbove": None, "usersBelow": None, "totalUsers": 0, "percentile": None
    }  # fmt: skip
    yesterday = await ask(asker, EVENING)
    assert yesterday["leaderboard"]["source"] == "REDIS"
    assert scores(yesterday) == [50, 50, 30]
    assert yesterday["userRank"] == before["userRank"]


async def test_a_window_that_has_left_redis_answers_the_same_from_postgres(app: App, asker: Asker, clock: WallClock):
    for number, points in enumerate([50, 50, 30, 10], 1):
        await award(app, number, points)
    clock.advance(hours=1)
    retained = await ask(asker, EVENING)
    clock.advance(days=30)
    old = await ask(asker, EVENING)
    assert (retained["leaderboard"].pop("source"), old["leaderboard"].pop("source")) == ("REDIS", "POSTGRES")
    assert old == retained
    assert [(one["rank"], one["competitionRank"]) for one in old["leaderboard"]["entries"]] == [
        (1, 1), (2, 1), (3, 3), (4, 4)
    ]  # fmt: skip
    assert [one["rank"] for one in old["leaderboard"]["around"]] == [1, 2, 3]
    assert old["leaderboard"]["standings"]["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(
    ("instant", "old", "new"),
    [
        (MIDNIGHT - timedelta(milliseconds=1), [50], []),
        (MIDNIGHT - timedelta(microseconds=1), [50], []),
        (MIDNIGHT, [], [50]),
        (MIDNIGHT + timedelta(milliseconds=1), [], [50]),
    ],
)
async def test_the_last_instant_belongs_to_the_old_window_and_the_boundary_to_the_new(
    app: App, asker: Asker, clock: WallClock, instant: datetime, old: list[int], new: list[int]
):
    clock.now = instant
    await award(app, 1, 50)
    clock.now = MIDNIGHT + timedelta(seconds=1)
    assert scores(await ask(asker, EVENING)) == old
    assert scores(await ask(asker)) == new


def midnights(days: int) -> list[datetime]:
    """The boundaries of days that lie within so many days from the evening on."""
    return [MIDNIGHT + timedelta(days=number) for number in range(days)]


@pytest.mark.parametrize(
    ("period", "boundary"),
    [
        ("DAILY", MIDNIGHT),
        ("WEEKLY", next(day for day in midnights(7) if day.isoweekday() == 1)),
        ("MONTHLY", next(day for day in midnights(31) if day.day == 1)),
    ],
)
async def test_every_period_has_its_boundary_and_says_so(
    app: App, asker: Asker, clock: WallClock, period: str, boundary: datetime
):
    last = boundary - timedelta(microseconds=1)
    clock.now = last
    await award(app, 1, 20)
    clock.now = boundary
    await award(app, 1, 30)
    old, new = await ask(asker, last, period=period), await ask(asker, period=period)
    assert (scores(old), scores(new)) == ([20], [30])
    assert datetime.fromisoformat(old["leaderboard"]["endsAt"]) == boundary
    assert datetime.fromisoformat(new["leaderboard"]["startsAt"]) == boundary
    assert scores(await ask(asker, period="ALL_TIME")) == [50]


async def test_a_commit_that_crosses_the_boundary_counts_in_the_window_in_which_it_was_made(
    app: App, asker: Asker, clock: WallClock
):
    await award(app, 1, 10)
    clock.first = [MIDNIGHT - timedelta(microseconds=1)]  # when the ledger takes the time; all else is later
    clock.now = MIDNIGHT + timedelta(seconds=2)
    await award(app, 1, 30)
    assert clock.first == []
    assert scores(await ask(asker, EVENING)) == [40]
    assert scores(await ask(asker)) == []


async def test_what_is_played_later_does_not_touch_a_window_that_is_over(app: App, asker: Asker, clock: WallClock):
    await award(app, 1, 50)
    clock.now = MIDNIGHT + timedelta(seconds=40)
    before = await ask(asker, EVENING)
    await app.close_windows()
    for number in (1, 2, 3):
        await award(app, number, 70)
    assert await ask(asker, EVENING) == before


async def test_a_window_is_closed_half_a_minute_after_its_end_and_once(app: App, clock: WallClock):
    await award(app, 1, 50)
    await award(app, 2, 30)
    clock.now = MIDNIGHT + timedelta(seconds=29)
    assert await app.close_windows() == []
    clock.advance(seconds=1)
    (board,) = [board for board in await app.close_windows() if board.window.period == "DAILY"]
    assert board.key == f"global/DAILY:{FIRST_DAY}"
    assert await app.close_windows() == []
    assert ("global", "DAILY", FIRST_DAY, 2) in await closings(app)


async def test_two_instances_never_close_a_window_twice(settings: Settings, app: App, clock: WallClock):
    await award(app, 1, 50)
    clock.advance(days=40)
    async with AsyncExitStack() as stack:
        instances = [
            app,
            *[await stack.enter_async_context(opened(settings, clock, housekeeping=False)) for _ in range(2)],
        ]
        closed = await asyncio.gather(*(one.close_windows() for one in instances for _ in range(2)))
    boards = [board for some in closed for board in some]
    mondays = sum(day.isoweekday() == 1 for day in midnights(40))
    firsts = sum(day.day == 1 for day in midnights(40))
    assert len(boards) == len(set(boards)) == len(await closings(app)) == 40 + mondays + firsts


async def test_closings_missed_in_a_downtime_are_made_up_for_once_and_in_order(app: App, clock: WallClock):
    await award(app, 1, 50)
    clock.advance(days=1)
    await award(app, 1, 20)
    await award(app, 2, 20)
    clock.advance(days=12)
    boards = await app.close_windows()
    ends = [(board.window.ends_at, board.key) for board in boards]
    assert ends == sorted(ends)
    days = [board.window.start for board in boards if board.window.period == "DAILY"]
    assert days == [FIRST_DAY + timedelta(days=number) for number in range(13)]
    assert [row[3] for row in await closings(app) if row[1] == "DAILY"] == [1, 2, *[0] * 11]
    assert await app.close_windows() == []


async def test_redis_forgets_the_versions_of_windows_that_have_left_it(app: App, clock: WallClock):
    meta = f"{app.settings.redis_prefix}:{{global}}:meta"
    await award(app, 1, 50)
    clock.advance(days=1)
    await award(app, 1, 50)
    clock.advance(days=1, minutes=2)
    assert await app.redis.hexists(meta, f"v:DAILY:{FIRST_DAY}")
    await app.close_windows()
    kept = {field.decode() for field in await app.redis.hkeys(meta) if field[:8] == b"v:DAILY:"}
    assert kept == {f"v:DAILY:{FIRST_DAY + timedelta(days=1)}"}
    assert await app.redis.hexists(meta, "v:ALL_TIME")


async def test_a_copy_that_is_made_anew_right_after_a_boundary_takes_nothing_from_the_old_window(
    app: App, asker: Asker, clock: WallClock
):
    for number in (1, 2, 3):
        await award(app, number, 10 * number)
    clock.now = MIDNIGHT + timedelta(seconds=5)
    await app.rebuild.rebuild(app.catalogue.current.category("global"), force=True)
    clock.first = [MIDNIGHT - timedelta(microseconds=1)]
    await award(app, 4, 50)  # committed late: alone in the copy it would pass for the whole
    assert scores(await ask(asker, EVENING)) == [50, 30, 20, 10]


async def test_the_end_of_a_window_is_announced_with_its_last_board_and_the_first_of_the_next(
    app: App, asker: Asker, clock: WallClock
):
    await award(app, 1, 50)
    async with aclosing(asker.watch(UPDATES)) as messages, asyncio.timeout(TIMEOUT):
        first = (await anext(messages))["leaderboardUpdates"]
        assert (first["kind"], first["leaderboard"]["startsAt"]) == ("SNAPSHOT", f"{FIRST_DAY}T00:00:00+00:00")
        clock.now = MIDNIGHT + timedelta(seconds=10)
        last = (await anext(messages))["leaderboardUpdates"]
        assert (last["kind"], last["leaderboard"]) == ("UPDATE", first["leaderboard"])
        new = (await anext(messages))["leaderboardUpdates"]
        assert (new["kind"], new["leaderboard"]) == (
            "SNAPSHOT", {"startsAt": MIDNIGHT.isoformat(), "entries": []}
        )  # fmt: skip
        await award(app, 2, 30)
        update = (await anext(messages))["leaderboardUpdates"]
        assert [entry["score"] for entry in update["leaderboard"]["entries"]] == [30]


async def test_an_instant_of_the_future_or_without_a_time_zone_names_no_window(asker: Asker):
    board = "query Board($at: DateTime!) { leaderboard(period: DAILY, at: $at) { id } }"
    assert await asker.fails(board, at=(EVENING + timedelta(seconds=1)).isoformat()) == "BAD_USER_INPUT"
    assert await asker.fails(board, at="2026-11-19T12:00:00") == "BAD_USER_INPUT"


@pytest.fixture
def far_west() -> Iterator[None]:
    """This process lives where it is still yesterday, and where clocks are put back and forth."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/Los_Angeles"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def odd_day() -> datetime:
    """The beginning of the next day, in UTC, on which clocks in Los Angeles are put back or forth."""
    west = ZoneInfo("America/Los_Angeles")
    days = (MIDNIGHT + timedelta(days=number) for number in range(400))
    return next(day for day in days if day.astimezone(west).dst() != (day + timedelta(days=1)).astimezone(west).dst())


@pytest.mark.usefixtures("far_west")
async def test_server_time_zone_and_daylight_saving_change_nothing(settings: Settings):
    odd = odd_day()
    last, day = odd - timedelta(microseconds=1), timedelta(days=1)
    clock = WallClock(last)
    async with opened(settings, clock, housekeeping=False) as app:
        await enlist(app, 1)
        async with app.database.begin() as connection:
            name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
            await connection.execute(text(f"ALTER DATABASE \"{name}\" SET timezone = 'America/Los_Angeles'"))
    async with opened(settings, clock, housekeeping=False) as app:
        asker = Asker(app)
        for instant, points in ((last, 10), (odd, 20), (odd + day - timedelta(microseconds=1), 5), (odd + day, 30)):
            clock.now = instant
            await award(app, 1, points)
        for period, at, expected in (
            ("DAILY", last, [10]),
            ("DAILY", odd, [25]),
            ("DAILY", odd + timedelta(hours=23, minutes=59), [25]),
            ("DAILY", None, [30]),
            ("ALL_TIME", odd, [30]),
            ("ALL_TIME", None, [65]),
        ):
            assert scores(await ask(asker, at, user=1, period=period)) == expected, (period, at)
        history = """query History($user: ID!, $from: DateTime!, $to: DateTime!) {
          scoreHistory(userId: $user, from: $from, to: $to) { points { startsAt score gained } }
        }"""
        span = {"from": (odd - day).isoformat(), "to": (odd + 3 * day).isoformat()}
        points = (await asker.ask(history, user=str(user_id(1)), **span))["scoreHistory"]["points"]
        assert [(point["startsAt"], point["gained"]) for point in points] == [
            ((odd - day).isoformat(), 10), (odd.isoformat(), 25), ((odd + day).isoformat(), 30)
        ]  # fmt: skip


async def test_the_closing_of_windows_is_a_job_of_its_own(app: App, clock: WallClock):
    await award(app, 1, 50)
    clock.advance(days=1)
    await app.jobs.run_one("close_windows")
    assert ("global", "DAILY", FIRST_DAY, 1) in await closings(app)
