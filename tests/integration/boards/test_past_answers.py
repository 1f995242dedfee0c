"""Answers about the past are shared, within a bound, and never show who has been hidden or deleted since."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.config import Settings
from app.domain.boards.board import Board, board_of
from app.domain.boards.periods import Period
from app.services.past_answers import ENTRY_BYTES, PastAnswers
from app.wiring import App
from tests.support.boards.award_points import MODERATOR, award, enlist
from tests.support.boards.board_rows import user_id
from tests.support.graphql.schema_client import Asker
from tests.support.manual_clock import WallClock
from tests.support.runtime import runtime_for
from tests.support.service import opened

THEN = "query Then($at: DateTime!) { leaderboard(at: $at) { asOf totalUsers entries { user { username } } } }"
NOON = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12)


@pytest.fixture
def clock() -> WallClock:
    return WallClock(NOON)


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock, housekeeping=False) as app:
        await enlist(app, 1, 2)
        await award(app, 1, 20)
        await award(app, 2, 10)
        clock.advance(hours=1)
        yield app


async def ask(app: App, at: datetime = NOON) -> dict[str, Any]:
    board: dict[str, Any] = (await Asker(app).ask(THEN, at=at.isoformat()))["leaderboard"]
    return board


def names(board: dict[str, Any]) -> list[str]:
    return [entry["user"]["username"] for entry in board["entries"]]


async def test_instants_are_rounded_down_to_the_second(app: App):
    answers = await asyncio.gather(*(ask(app, NOON + timedelta(milliseconds=100 * n)) for n in range(11)))
    seen = [datetime.fromisoformat(answer["asOf"]) for answer in answers]
    assert seen == [NOON] * 10 + [NOON + timedelta(seconds=1)]


async def test_a_hidden_player_disappears_from_shared_answers_at_once(app: App):
    assert names(await ask(app)) == ["player-1", "player-2"]
    await app.moderation.visibility.hide(MODERATOR, user_id(1), "test")
    assert names(await ask(app)) == ["player-2"]
    await app.moderation.visibility.unhide(MODERATOR, user_id(1), "test")
    assert names(await ask(app)) == ["player-1", "player-2"]


async def test_a_deleted_player_disappears_from_shared_answers_at_once(app: App):
    assert (await ask(app))["totalUsers"] == 2
    await app.moderation.deletion(MODERATOR, user_id(2), "test")
    board = await ask(app)
    assert (names(board), board["totalUsers"]) == (["player-1"], 1)


def board_at(number: int) -> Board:
    at = NOON - timedelta(days=number)
    return Board("global", board_of("global", Period.ALL_TIME, at).window, at)


async def test_callers_share_one_read():
    answers, reads = PastAnswers(10**6, runtime_for(clock=lambda: NOON)), 0

    async def read() -> list[int]:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return [reads]

    together = await asyncio.gather(*(answers.get(board_at(1), "key", read) for _ in range(10)))
    assert [*together, await answers.get(board_at(1), "key", read)] == [[1]] * 11
    assert await answers.get(board_at(1), "another key", read) == [2]


async def test_the_answers_take_no_more_than_the_given_bytes():
    answers = PastAnswers(10 * ENTRY_BYTES, runtime_for(clock=lambda: NOON))
    reads: list[int] = []

    async def ask(number: int) -> list[int]:
        async def read() -> list[int]:
            reads.append(number)
            return [number]

        found: list[int] = await answers.get(board_at(number), "key", read)
        return found

    for number in [*range(1, 21), 20, 1]:
        assert await ask(number) == [number]
    assert reads == [*range(1, 21), 1]


async def test_an_answer_that_was_being_read_during_a_change_is_not_kept():
    answers, started, go_on = PastAnswers(10**6, runtime_for(clock=lambda: NOON)), asyncio.Event(), asyncio.Event()

    async def slow() -> list[str]:
        started.set()
        await go_on.wait()
        return ["before"]

    async def fast() -> list[str]:
        return ["after"]

    before = asyncio.create_task(answers.get(board_at(1), "key", slow))
    await started.wait()
    answers.clear()
    assert await answers.get(board_at(1), "key", fast) == ["after"]
    go_on.set()
    assert await before == ["before"]
    assert await answers.get(board_at(1), "key", slow) == ["after"]
