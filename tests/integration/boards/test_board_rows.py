"""Rows of a board in bulk: all of them, piece by piece, without sorting the board for each piece."""

from sqlalchemy import text

from app.domain.ledger.posting import ScoreChange
from app.models.statements.boards.board_rows import FIRST_ROWS, NEXT_ROWS, count_rows, read_rows
from app.wiring import App
from tests.support.boards.board_rows import Row, all_time, put_rows

PLACE = {"category": "global", "period": "ALL_TIME", "start": all_time().window.start, "limit": 2}


async def test_pieces_make_up_the_board_with_the_hidden_ones_behind(app: App):
    rows = [Row(number, score=number % 3 + 1, turn=number % 2, hidden=number % 4 == 0) for number in range(1, 21)]
    await put_rows(app, rows)

    pieces: list[list[ScoreChange]] = []
    async with app.database.connect() as connection:
        while not pieces or len(pieces[-1]) == 3:
            after = pieces[-1][-1] if pieces else None
            pieces.append(await read_rows(connection, all_time(), after, 3))
        total = await count_rows(connection, all_time())

    expected = sorted(rows, key=lambda row: (row.hidden, -row.score, row.turn, row.id))
    assert [one.user_id for piece in pieces for one in piece] == [row.id for row in expected]
    assert total == len(rows)


async def test_no_piece_sorts_the_board(app: App):
    """A small table is quicker read as a whole, so that is forbidden here to see what a large one gets."""
    last = {"hidden": False, "sort_key": -1, "reached_at": app.clock(), "user_id": Row(1, 1).id}
    async with app.database.begin() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        for statement, values in ((FIRST_ROWS, PLACE), (NEXT_ROWS, PLACE | last)):
            lines = await connection.execute(text(f"EXPLAIN {statement.text}"), values)
            plan = "\n".join(lines.scalars())
            assert "ix_scores_board_order" in plan
            assert "Sort" not in plan
