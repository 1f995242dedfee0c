"""Loading a board while scores are committed: whichever of two rows of a user is stored last, the newer one stays."""

from __future__ import annotations

import pytest

from app.domain.boards.board import Board, Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.users import Caller
from app.models.statements.boards.board_rows import PackedRows, read_packed_rows, read_rows
from app.services.board_index import BoardNotLoaded
from app.wiring import App
from tests.integration.board_index.test_digests import assert_all_digests_are_equal
from tests.support.boards.board_rows import board_index_of
from tests.support.boards.shards import SHARDS, index_loader_of, split
from tests.support.service import caller

EPOCH = "0" * 32

ALICE, BOB, CAROL, DAVE = (caller(name) for name in ("alice", "bob", "carol", "dave"))


@pytest.fixture(params=[1, SHARDS], ids=["unsplit", "split"])
async def app(app: App, request: pytest.FixtureRequest) -> App:
    """The services, also with a category that is split."""
    if request.param > 1:
        await split(app, request.param)
    return app


async def play(app: App, *players: Caller) -> None:
    """Let players finish an action each."""
    for who in players:
        await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)


def board(app: App, period: Period = Period.ALL_TIME) -> Board:
    return board_of("global", period, app.clock())


async def packed(app: App) -> dict[Board, PackedRows]:
    boards = [board(app, period) for period in Period]
    async with app.database.connect() as connection:
        return {one: await read_packed_rows(connection, one, None, 100) for one in boards}


async def begin(app: App) -> None:
    """Begin an epoch, which the service itself does not load because it does not have the lock."""
    assert await index_loader_of(app).lock("global", "test", 60)
    boards = [board(app, period) for period in Period]
    await index_loader_of(app).begin("global", boards, EPOCH, "", app.clock())


async def assert_boards_are_equal(app: App) -> None:
    assert await index_loader_of(app).finish("global", EPOCH)
    await assert_all_digests_are_equal(app)
    async with app.database.connect() as connection:
        rows = await read_rows(connection, board(app), None, 100)
    page = await app.board_reader.page(board(app), Slice(0, 100))
    assert page.source is Source.REDIS
    assert [(entry.user.id, entry.score) for entry in page.entries] == [(row.user_id, row.row.score) for row in rows]


async def test_a_row_that_its_writer_has_put_meanwhile_is_not_replaced_by_an_older_one(app: App):
    await play(app, ALICE, BOB, CAROL)
    older = await packed(app)
    await play(app, BOB, DAVE)
    await begin(app)
    async with app.database.connect() as connection:
        for one in older:
            await board_index_of(app).put(await read_rows(connection, one, None, 100))
    for one, rows in older.items():
        await board_index_of(app).load(one, EPOCH, rows.rows)
    await assert_boards_are_equal(app)


async def test_a_newer_row_replaces_the_one_that_was_loaded(app: App):
    await play(app, ALICE, BOB, CAROL)
    older = await packed(app)
    await play(app, BOB, DAVE)
    await begin(app)
    for loaded in (older, await packed(app)):
        for one, rows in loaded.items():
            await board_index_of(app).load(one, EPOCH, rows.rows)
    await assert_boards_are_equal(app)


async def test_a_load_whose_epoch_is_over_stores_nothing(app: App):
    await play(app, ALICE)
    rows = await packed(app)
    await begin(app)
    with pytest.raises(BoardNotLoaded):
        await board_index_of(app).load(board(app), "1" * 32, rows[board(app)].rows)


async def test_packed_rows_are_read_in_the_order_of_the_board_and_continue_after_the_last(app: App):
    await play(app, ALICE, BOB, CAROL, BOB)
    async with app.database.connect() as connection:
        whole = await read_packed_rows(connection, board(app), None, 100)
        first = await read_packed_rows(connection, board(app), None, 2)
        second = await read_packed_rows(connection, board(app), first, 2)
        last = await read_packed_rows(connection, board(app), second, 2)
    assert (first.count, second.count, last.count) == (2, 1, 0)
    assert first.rows + second.rows == whole.rows
    assert first.rows[25:41] == BOB.user_id.bytes


async def test_a_process_that_lost_the_lock_does_not_release_that_of_another(app: App):
    loader = index_loader_of(app)  # Of a category that the service does not load meanwhile.
    assert await loader.lock("other", "first", 60)
    assert not await loader.lock("other", "second", 60)
    await loader.unlock("other", "second")
    assert not await loader.lock("other", "second", 60)
    await loader.unlock("other", "first")
    assert await loader.lock("other", "second", 60)
