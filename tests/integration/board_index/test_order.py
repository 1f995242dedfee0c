"""Redis, PostgreSQL and a few lines of Python agree on every rank, ties included."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.domain.boards.board import Board, Entry, Page, Source
from app.domain.boards.views import After, Around, Before, Head, Position, Slice, UserSelection, View
from app.domain.scores import MAX_SCORE
from app.runtime import Runtime
from app.services.boards.postgres_reader import PostgresReader
from app.wiring import App
from tests.support.boards.board_rows import Row, all_time, expected, put_rows, user_id
from tests.support.boards.shards import SHARDS

LIMITS = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Few scores and few instants: most rows are tied on the one, and many on both. The highest scores differ by 1, which
# the numbers of Redis and of its scripts can still tell.
scores = st.sampled_from([0, 1, 50, 2**32, MAX_SCORE - 1, MAX_SCORE])
rows = st.builds(Row, st.integers(1, 30), scores, st.integers(0, 3), st.booleans())
boards = st.lists(rows, max_size=25, unique_by=lambda row: row.user)


class Reader:
    """Both stores, asked for the same."""

    def __init__(self, app: App, board: Board) -> None:
        self._app = app
        self._board = board
        self._postgres = PostgresReader(
            app.database, app.database, app.database, app.profiles, Runtime(clock=app.clock), "postgres"
        )

    async def page(self, view: View[Page]) -> Page:
        """The page, which is the same in both."""
        redis = await self._app.board_reader.page(self._board, view)
        if redis.source is Source.POSTGRES:  # The service itself was about to load the board, too.
            await self._app.rebuild.ensure_loaded()
            redis = await self._app.board_reader.page(self._board, view)
        (postgres,) = await self._postgres.read(self._board, [view])
        assert isinstance(postgres, Page)
        assert (redis.source, postgres.source) == (Source.REDIS, Source.POSTGRES)
        assert (redis.entries, redis.total_users) == (postgres.entries, postgres.total_users)
        if redis.entries and not isinstance(view, UserSelection):
            assert redis.offset == postgres.offset == redis.entries[0].rank - 1
        return redis

    async def standings(self, users: Sequence[int]) -> list[tuple[int | None, int | None, int, int]]:
        """Rank, competition rank, ties and score of each, which are the same in both."""
        ids = [user_id(user) for user in users]
        assembler, ranked = await self._postgres.standings(self._board, ids)
        of_postgres = [assembler.standing(one, row) for one, row in zip(ids, ranked, strict=True)]
        of_redis = await self._app.board_reader.standings(self._board, ids)
        facts = [
            [
                (place.rank, place.competition_rank, place.tied_with, place.score, place.total_users, place.percentile)
                for place in standings
            ]
            for standings in (of_redis, of_postgres)
        ]
        assert facts[0] == facts[1]
        return [place[:4] for place in facts[0]]


def position_of(entry: Entry, sign: int) -> Position:
    return Position(sign * entry.score, entry.reached_at, entry.user.id)


@pytest.fixture(params=[("HIGH_FIRST", 1), ("LOW_FIRST", 1), ("HIGH_FIRST", SHARDS)])
async def sort_order(app: App, request: pytest.FixtureRequest) -> str:
    order, shards = request.param
    async with app.database.begin() as connection:
        values = {"order": order, "shards": shards}
        await connection.execute(text("UPDATE categories SET sort_order = :order, shards = :shards"), values)
    await app.catalogue.refresh()
    return order


@LIMITS
@given(board=boards, offset=st.integers(0, 30), limit=st.integers(1, 30))
async def test_both_stores_order_and_rank_every_page_as_the_model_does(
    app: App, sort_order: str, board: list[Row], offset: int, limit: int
):
    await put_rows(app, board)
    model = expected(board, low_first=sort_order == "LOW_FIRST")
    reader = Reader(app, all_time())
    whole = await reader.page(Slice(0, 100))
    assert list(whole.entries) == model
    assert whole.total_users == len(model)
    assert list((await reader.page(Slice(offset, limit))).entries) == model[offset : offset + limit]


@LIMITS
@given(board=boards, radius=st.integers(0, 6))
async def test_around_any_user_both_stores_show_the_same_stretch_of_the_list(
    app: App, sort_order: str, board: list[Row], radius: int
):
    await put_rows(app, board)
    model = expected(board, low_first=sort_order == "LOW_FIRST")
    reader = Reader(app, all_time())
    size = min(2 * radius + 1, len(model))
    for place, entry in enumerate(model):
        first = max(0, min(place - radius, len(model) - size))
        page = await reader.page(Around(entry.user.id, radius))
        assert list(page.entries) == model[first : first + size]
    for row in board:
        if row.hidden:
            assert (await reader.page(Around(row.id, radius))).entries == ()


@LIMITS
@given(board=boards, limit=st.integers(1, 8), gone=rows)
async def test_before_and_after_any_position_both_stores_go_on_where_the_list_does(
    app: App, sort_order: str, board: list[Row], limit: int, gone: Row
):
    await put_rows(app, board)
    low_first = sort_order == "LOW_FIRST"
    model = expected(board, low_first=low_first)
    sign = 1 if low_first else -1
    reader = Reader(app, all_time())
    # Also a position at which nobody stands any more, or ever stood.
    left = Position(sign * gone.score, gone.reached_at, gone.id)
    for position in [left, *(position_of(entry, sign) for entry in model)]:
        point = (position.sort_key, position.reached_at, position.user_id)
        keys = [(p.sort_key, p.reached_at, p.user_id) for p in (position_of(entry, sign) for entry in model)]
        above = [entry for entry, key in zip(model, keys, strict=True) if key < point]
        below = [entry for entry, key in zip(model, keys, strict=True) if key > point]
        assert list((await reader.page(After(position, limit))).entries) == below[:limit]
        assert list((await reader.page(Before(position, limit))).entries) == above[-limit:]
    assert list((await reader.page(Before(None, limit))).entries) == model[-limit:]


@LIMITS
@given(board=boards, chosen=st.sets(st.integers(1, 32), max_size=12))
async def test_rank_competition_rank_ties_and_percentile_agree_with_the_list_at_every_tie(
    app: App, sort_order: str, board: list[Row], chosen: set[int]
):
    await put_rows(app, board)
    model = expected(board, low_first=sort_order == "LOW_FIRST")
    reader = Reader(app, all_time())
    by_user = {entry.user.id: entry for entry in model}
    standings = await reader.standings(range(1, 33))
    for number, place in enumerate(standings, 1):
        entry = by_user.get(user_id(number))
        if entry is None:
            assert place == (None, None, 0, 0)
        else:
            assert place == (entry.rank, entry.competition_rank, entry.tied_with, entry.score)
    friends = await reader.page(UserSelection(frozenset(user_id(number) for number in chosen)))
    assert list(friends.entries) == [entry for entry in model if entry.user.id in {user_id(n) for n in chosen}]


@LIMITS
@given(board=boards, radius=st.integers(0, 4), offset=st.integers(0, 9))
async def test_many_views_that_are_read_at_once_are_what_each_is_alone(
    app: App, sort_order: str, board: list[Row], radius: int, offset: int
):
    await put_rows(app, board)
    reader = Reader(app, all_time())
    around = [Around(row.id, radius) for row in board]
    views: list[View[Page]] = [
        *around, Slice(offset, 5), Before(None, 3), Head(), UserSelection(frozenset(row.id for row in board[::2]))
    ]  # fmt: skip
    postgres = PostgresReader(
        app.database, app.database, app.database, app.profiles, Runtime(clock=app.clock), "postgres"
    )
    for reading in (await postgres.read(all_time(), views), await app.board_reader.read_views(all_time(), views)):
        for view, state in zip(views, reading, strict=True):
            assert isinstance(state, Page)
            alone = await reader.page(view)
            assert (state.entries, state.total_users) == (alone.entries, alone.total_users)


async def test_a_board_of_nobody_is_empty_in_both_stores(app: App):
    await put_rows(app, [])
    reader = Reader(app, all_time())
    assert (await reader.page(Slice(0, 10))).total_users == 0
    assert await reader.standings([1]) == [(None, None, 0, 0)]
    assert (await reader.page(UserSelection(frozenset()))).entries == ()
