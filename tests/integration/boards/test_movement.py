"""Movement: places gained or lost since the end of the previous day, week or month."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.config import Settings
from app.domain.boards.board import Board, board_of
from app.domain.boards.movement import Since, reference_board
from app.domain.boards.periods import Period, parse_window
from app.wiring import App
from tests.support.boards.award_points import award, enlist
from tests.support.boards.board_rows import user_id
from tests.support.graphql.schema_client import Asker
from tests.support.manual_clock import WallClock
from tests.support.service import opened

BOARD = """
query Board($period: Period! = ALL_TIME, $since: Since! = PREVIOUS_DAY, $user: ID!) {
  leaderboard(period: $period) {
    entries { movement(since: $since) user { username } }
    standings(first: 1) { nodes { movement(since: $since) } }
    around(userId: $user, radius: 0) { movement(since: $since) }
    friends(userIds: [$user]) { entry { movement(since: $since) } }
  }
}
"""
UPDATES = "subscription { leaderboardUpdates { leaderboard { entries { movement user { username } } } } }"
MIDNIGHT = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)


@pytest.fixture
def clock() -> WallClock:
    return WallClock(MIDNIGHT - timedelta(hours=1))


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock, housekeeping=False) as app:
        await enlist(app, *range(1, 6))
        yield app


@pytest.fixture
async def next_day(app: App, clock: WallClock) -> App:
    """Yesterday 1 led 2 and 3; today 3 has overtaken both, and 4 is new."""
    for number, points in ((1, 50), (2, 40), (3, 30)):
        await award(app, number, points)
    clock.now = MIDNIGHT + timedelta(minutes=1)
    await award(app, 3, 40)
    await award(app, 4, 10)
    return app


async def movements(app: App, **variables: Any) -> dict[str, int | None]:
    board = (await Asker(app).ask(BOARD, user=str(user_id(3)), **variables))["leaderboard"]
    return {entry["user"]["username"]: entry["movement"] for entry in board["entries"]}


async def test_an_all_time_board_is_compared_with_the_end_of_yesterday(next_day: App):
    assert await movements(next_day) == {"player-3": 2, "player-1": -1, "player-2": -1, "player-4": None}


async def test_every_list_of_entries_has_movements(next_day: App):
    board = (await Asker(next_day).ask(BOARD, user=str(user_id(3))))["leaderboard"]
    assert board["standings"]["nodes"] == board["around"] == [{"movement": 2}]
    assert board["friends"] == [{"entry": {"movement": 2}}]


async def test_movements_are_live(next_day: App):
    async with aclosing(Asker(next_day).watch(UPDATES)) as messages:
        await anext(messages)
        await award(next_day, 4, 100)
        entries = (await anext(messages))["leaderboardUpdates"]["leaderboard"]["entries"]
    assert [(entry["user"]["username"], entry["movement"]) for entry in entries] == [
        ("player-4", None),
        ("player-3", 1),
        ("player-1", -2),
        ("player-2", -2),
    ]


async def test_a_day_is_compared_with_the_final_ranks_of_the_day_before_once_it_is_closed(next_day: App):
    assert await movements(next_day, period="DAILY") == {"player-3": None, "player-4": None}
    await next_day.close_windows()
    assert await movements(next_day, period="DAILY") == {"player-3": 2, "player-4": None}


async def test_a_board_of_days_has_no_movement_since_a_week(next_day: App):
    await next_day.close_windows()
    assert await movements(next_day, period="DAILY", since="PREVIOUS_WEEK") == {"player-3": None, "player-4": None}


async def test_the_ranks_of_a_page_are_read_once_for_many_requests(next_day: App):
    before = await past_reads(next_day)
    for _ in range(5):
        await movements(next_day)
    assert await past_reads(next_day) - before == 1


async def past_reads(app: App) -> int:
    """How many boards of the past have been read."""
    return len(app.past_ranks._ranks)


@pytest.mark.parametrize(
    ("board", "since", "reference"),
    [
        ("ALL_TIME", "PREVIOUS_DAY", "ALL_TIME@2026-11-19T23:59:59.999999+00:00"),
        ("ALL_TIME", "PREVIOUS_WEEK", "ALL_TIME@2026-11-15T23:59:59.999999+00:00"),
        ("ALL_TIME", "PREVIOUS_MONTH", "ALL_TIME@2026-10-31T23:59:59.999999+00:00"),
        ("DAILY:2026-11-20", "PREVIOUS_DAY", "DAILY:2026-11-19"),
        ("WEEKLY:2026-11-16", "PREVIOUS_WEEK", "WEEKLY:2026-11-09"),
        ("MONTHLY:2026-03-01", "PREVIOUS_MONTH", "MONTHLY:2026-02-01"),
        ("WEEKLY:2026-11-16", "PREVIOUS_DAY", None),
        ("DAILY:2026-11-20", "PREVIOUS_MONTH", None),
    ],
)
def test_each_board_is_compared_with_what_is_stored_of_its_kind(board: str, since: str, reference: str | None):
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    found = reference_board(Board("global", parse_window(board)), Since(since), noon)
    assert (found and found.key) == (reference and f"global/{reference}")


def test_a_board_of_the_past_is_compared_with_its_own_past():
    at = datetime(2026, 11, 10, 12, tzinfo=UTC)
    past = Board("global", board_of("global", Period.ALL_TIME, at).window, at)
    found = reference_board(past, Since.PREVIOUS_DAY, datetime(2026, 11, 20, tzinfo=UTC))
    assert found is not None
    assert found.as_of == datetime(2026, 11, 9, 23, 59, 59, 999999, tzinfo=UTC)
