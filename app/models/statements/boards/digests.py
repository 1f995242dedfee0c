"""The statements that compute the digests of boards (`domain.boards.digests`), and read the rows of single buckets."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.board import Board
from app.domain.boards.digests import BUCKETS, BoardDigests
from app.domain.ledger.posting import ScoreChange
from app.models.statements.boards.board_rows import to_score_change
from app.models.statements.boards.read_boards import board_parameters

BOARD_ROWS = "category_id = :category AND period = :period AND window_start = :start"

BUCKET = f"((get_byte(id, 14) * 256 + get_byte(id, 15)) % {BUCKETS})"

DIGEST = """sum(
    CAST(get_byte(id, 10) * 65536 + get_byte(id, 11) * 256 + get_byte(id, 12) + 1 AS bigint)
    * ((revision & 16777215) + 1) & 4294967295
)"""

# OFFSET 0 keeps the planner from computing the bytes of each id once per use.
ROWS = f"(SELECT uuid_send(user_id) AS id, revision FROM scores WHERE {BOARD_ROWS} OFFSET 0) AS rows"  # noqa: S608

TOTAL = text(f"SELECT count(*) AS rows, coalesce({DIGEST}, 0) AS digest FROM {ROWS}")  # noqa: S608
BY_BUCKET = text(f"SELECT {BUCKET} AS bucket, {DIGEST} AS digest FROM {ROWS} GROUP BY 1")  # noqa: S608
ROWS_OF_BUCKETS = text(
    f"""
    SELECT user_id, score, sort_key, reached_at, revision, hidden
    FROM (SELECT uuid_send(user_id) AS id, * FROM scores WHERE {BOARD_ROWS} OFFSET 0) AS rows
    WHERE {BUCKET} = ANY(CAST(:buckets AS int[]))
    """  # noqa: S608
)


async def read_total_digest(connection: AsyncConnection, board: Board) -> tuple[int, int]:
    """Return the number of rows of a board, hidden ones included, and the sum of their digests."""
    row = (await connection.execute(TOTAL, board_parameters(board))).one()
    return row.rows, int(row.digest)


async def read_digests(connection: AsyncConnection, board: Board) -> BoardDigests:
    """Return the digests of a board."""
    rows = await connection.execute(BY_BUCKET, board_parameters(board))
    return BoardDigests({row.bucket: int(row.digest) for row in rows})


async def read_rows_of_buckets(
    connection: AsyncConnection, board: Board, buckets: Collection[int]
) -> list[ScoreChange]:
    """Return the rows of the users in some buckets of a board, hidden ones included."""
    rows = await connection.execute(ROWS_OF_BUCKETS, board_parameters(board) | {"buckets": list(buckets)})
    return [to_score_change(board, row) for row in rows]
