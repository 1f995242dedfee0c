"""Boards under change: awards, corrections, departures and returns, seen the same in Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from app.config import Settings
from app.domain.boards.board import Page, Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import UserNotFound
from app.domain.ledger.transactions import Actor
from app.runtime import Runtime
from app.services.boards.postgres_reader import PostgresReader
from app.wiring import App
from tests.support.boards.award_points import award, correct, enlist, set_category
from tests.support.boards.board_rows import user_id
from tests.support.manual_clock import WallClock
from tests.support.service import opened

MODERATOR = Actor(uuid4(), "moderator")


@pytest.fixture
def clock() -> WallClock:
    return WallClock(datetime.now(UTC))


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock) as app:
        await enlist(app, *range(1, 7))
        for number in range(1, 6):
            clock.advance(seconds=1)
            await award(app, number, 60 - 10 * number)
        yield app


async def board(app: App, period: Period = Period.ALL_TIME) -> list[tuple[str, int, int]]:
    """Name, rank and score of everybody, which are the same in both stores."""
    asked = board_of("global", period, app.clock())
    redis = await app.board_reader.page(asked, Slice(0, 100))
    (postgres,) = await PostgresReader(
        app.database, app.database, app.database, app.profiles, Runtime(clock=app.clock), "pg"
    ).read(asked, [Slice(0, 100)])
    assert isinstance(postgres, Page)
    assert redis.source is Source.REDIS
    assert redis.entries == postgres.entries
    assert redis.total_users == len(redis.entries)
    return [(entry.user.username, entry.rank, entry.score) for entry in redis.entries]


async def test_five_scores_list_1_to_5(app: App):
    assert await board(app) == [(f"player-{number}", number, 60 - 10 * number) for number in range(1, 6)]


async def test_overwriting_reorders(app: App):
    await award(app, 5, 35)
    assert [name for name, _, _ in await board(app)] == ["player-1", "player-5", "player-2", "player-3", "player-4"]
    await correct(app, 1, -25, board_of("global", Period.ALL_TIME, app.clock()))
    assert (await board(app))[-2:] == [("player-1", 4, 25), ("player-4", 5, 20)]


async def test_deleting_closes_the_gap(app: App):
    await app.moderation.deletion(MODERATOR, user_id(2), "asked for it")
    expected = [("player-1", 1, 50), ("player-3", 2, 30), ("player-4", 3, 20), ("player-5", 4, 10)]
    for period in Period:
        assert await board(app, period) == expected


async def test_deleting_nothing_succeeds(app: App):
    before = await board(app)
    await app.moderation.deletion(MODERATOR, user_id(6), "never played")
    assert await board(app) == before
    with pytest.raises(UserNotFound):
        await app.moderation.deletion(MODERATOR, user_id(99), "nobody")
    assert await board(app) == before


async def test_unhide_restores_tie_seniority(app: App, clock: WallClock):
    clock.advance(seconds=1)
    await award(app, 2, 10)  # 50, after player-1
    await app.moderation.visibility.hide(MODERATOR, user_id(1), "under suspicion")
    assert (await board(app))[0] == ("player-2", 1, 50)
    clock.advance(hours=1)
    await app.moderation.visibility.unhide(MODERATOR, user_id(1), "cleared")
    assert (await board(app))[:2] == [("player-1", 1, 50), ("player-2", 2, 50)]


async def test_100_parallel_awards_to_one_user_end_at_the_exact_sum(app: App):
    receipts = await asyncio.gather(*(award(app, 6, 1 + number % 7) for number in range(100)))
    total = sum(1 + number % 7 for number in range(100))
    assert (await board(app))[0] == ("player-6", 1, total)
    assert sorted(receipt.new_score for receipt in receipts)[-1] == total
    assert len({receipt.new_score for receipt in receipts}) == 100


async def test_100_parallel_awards_of_best_end_at_the_maximum(app: App):
    await set_category(app, "puzzle", operator="BEST")
    await asyncio.gather(*(award(app, 6, 1 + number * 37 % 100, "puzzle") for number in range(100)))
    page = await app.board_reader.page(board_of("puzzle", Period.DAILY, app.clock()), Slice(0, 10))
    assert [(entry.score, entry.user.username) for entry in page.entries] == [(100, "player-6")]


async def test_a_best_that_is_not_improved_keeps_its_seniority(app: App, clock: WallClock):
    await set_category(app, "puzzle", operator="BEST")
    for number, points in ((1, 40), (2, 40), (1, 30), (1, 40)):
        clock.advance(seconds=1)
        await award(app, number, points, "puzzle")
    page = await app.board_reader.page(board_of("puzzle", Period.ALL_TIME, app.clock()), Slice(0, 10))
    assert [entry.user.username for entry in page.entries] == ["player-1", "player-2"]
