"""Scores above 2^32, up to 2^53 - 1, are exact in PostgreSQL, in Redis, in the past and in archives."""

from __future__ import annotations

from random import Random

import pytest

from app.config import Settings
from app.domain.boards.board import Board, Page, Source
from app.domain.boards.board_query import BoardQuery
from app.domain.boards.cursors import board_cursor, parse_board_cursor
from app.domain.boards.periods import Period
from app.domain.boards.views import After, Position, Slice, View
from app.domain.ledger.transactions import Actor
from app.domain.scores import MAX_SCORE
from app.runtime import Runtime
from app.services.boards.postgres_reader import PostgresReader
from app.wiring import App
from tests.support.boards.ledgers import MODERATOR, award, breaches, rows
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened, settings_for
from tests.support.stores import Databases

CATEGORY = "large"
# The neighbours differ by one, which a float of 32 bits and 15 digits of text could not tell.
SCORES = [2**31, 2**32, 2**32 + 1, 9_876_543_210, 2**52 + 1, MAX_SCORE - 2, MAX_SCORE - 1, MAX_SCORE, MAX_SCORE]


async def large(app: App, sort_order: str = "HIGH_FIRST", operator: str = "SUM") -> None:
    """Create the category of these tests."""
    category = {"id": CATEGORY, "name": "Large", "scoreCap": MAX_SCORE, "sortOrder": sort_order, "operator": operator}
    await app.catalogue_changes.apply([category], [], Actor(None, "operator"), "test")
    await app.rebuild.ensure_loaded()


def board_of(app: App, period: Period = Period.ALL_TIME) -> Board:
    return app.board_queries.board(app.catalogue.current.category(CATEGORY), period)


async def both(app: App, board: Board, view: View[Page]) -> Page:
    """Return a page, which is the same in both stores."""
    redis = await app.board_reader.page(board, view)
    reader = PostgresReader(
        app.database, app.database, app.database, app.profiles, Runtime(clock=app.clock), "postgres"
    )
    (postgres,) = await reader.read(board, [view])
    assert isinstance(postgres, Page)
    assert (redis.source, postgres.source) == (Source.REDIS, Source.POSTGRES)
    assert (redis.entries, redis.total_users, redis.offset) == (postgres.entries, postgres.total_users, postgres.offset)
    return redis


@pytest.mark.parametrize("sort_order", ["HIGH_FIRST", "LOW_FIRST"])
async def test_both_stores_rank_large_scores_alike_and_cursors_lead_through_all_of_them(app: App, sort_order: str):
    await large(app, sort_order, "BEST")
    scores = SCORES.copy()
    Random(7).shuffle(scores)
    for number, score in enumerate(scores):
        receipt = await award(app, caller(f"player{number}"), score, CATEGORY)
        assert (receipt.new_score, receipt.delta) == (score, score)
    board = board_of(app)
    whole = await both(app, board, Slice(0, 100))
    assert [entry.score for entry in whole.entries] == sorted(scores, reverse=sort_order == "HIGH_FIRST")
    ties = [entry.tied_with for entry in whole.entries if entry.score == MAX_SCORE]
    assert ties == [1, 1]
    sign = -1 if sort_order == "HIGH_FIRST" else 1
    for place, entry in enumerate(whole.entries):
        cursor = board_cursor(board, Position(sign * entry.score, entry.reached_at, entry.user.id))
        rest = await both(app, board, After(parse_board_cursor(board, cursor), 100))
        assert rest.entries == whole.entries[place + 1 :]
    await app.reconcile.everything()
    assert (app.reconcile.rows_corrected, app.reconcile.uncorrected) == (0, 0)
    assert await breaches(app) == []


async def test_a_sum_stops_at_the_highest_score_and_can_be_corrected_exactly(app: App):
    await large(app)
    alice = caller("alice")
    await award(app, alice, MAX_SCORE - 1, CATEGORY)
    assert (await award(app, alice, 2**40, CATEGORY)).delta == 1
    await app.moderation.corrections.adjust(MODERATOR, alice.user_id, CATEGORY, 3 - MAX_SCORE, "test", "key")
    ((score, sort_key),) = await rows(
        app, "SELECT score, sort_key FROM scores WHERE category_id = 'large' AND period = 'ALL_TIME'"
    )
    assert (score, sort_key) == (3, -3)
    assert await breaches(app) == []


async def test_histograms_checkpoints_histories_and_archives_keep_large_scores(
    settings: Settings, databases: Databases, redis_url: str
):
    clock = WallClock()
    async with opened(settings, clock, housekeeping=False) as app:
        await large(app, operator="BEST")
        users = [caller(f"player{number}") for number in range(len(SCORES))]
        for user, score in zip(users, SCORES, strict=True):
            clock.advance(seconds=1)
            await award(app, user, score, CATEGORY)
        then = clock()
        best = await app.board_reader.page(board_of(app, Period.DAILY), Slice(0, 100))
        clock.advance(days=1)
        await app.close_windows()
        await app.checkpoints()
        await award(app, users[0], MAX_SCORE - 3, CATEGORY)
        category = app.catalogue.current.category(CATEGORY)
        past = app.board_queries.board(category, Period.ALL_TIME, then)
        page = (await app.board_queries.page(BoardQuery(category, past, Slice(0, 100)))).value.page
        assert [entry.score for entry in page.entries] == [entry.score for entry in best.entries]
        closings = await rows(
            app, "SELECT -sort_key, users FROM closing_scores WHERE period = 'DAILY' ORDER BY sort_key"
        )
        assert [tuple(row) for row in closings[:2]] == [(MAX_SCORE, 2), (MAX_SCORE - 1, 1)]
        profile = await app.player_profile(users[-1].user_id, None)
        assert profile is not None
        assert (profile.totals[0].score, profile.totals[0].average) == (MAX_SCORE, float(MAX_SCORE))
        assert await breaches(app) == []
        lines = [line async for line in app.export.lines(lambda *_: None)]
    url = await databases.create()
    async with opened(settings_for(url, redis_url)) as other:
        await other.import_archive(lines, lambda *_: None)
        for imported in other.catalogue.current.categories.values():
            await other.rebuild.rebuild(imported, force=True)
        scores = "SELECT score FROM scores WHERE category_id = 'large' AND period = 'ALL_TIME' ORDER BY sort_key"
        expected = sorted([*SCORES[1:], MAX_SCORE - 3], reverse=True)
        assert [row.score for row in await rows(other, scores)] == expected
        assert await breaches(other) == []
    await databases.drop(url)
