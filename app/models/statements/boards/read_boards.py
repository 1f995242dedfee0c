"""The statements that read boards from the scores in board order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.assign_ranks import BoardRow, BoardSlice
from app.domain.boards.board import Board
from app.domain.boards.views import Position
from app.models.tables.scores import window_key

VISIBLE_ROWS = "category_id = :category AND period = :period AND window_start = :start AND NOT hidden"

_VISIBLE = f"""
    shown AS NOT MATERIALIZED (
        SELECT user_id, score, sort_key, reached_at FROM scores WHERE {VISIBLE_ROWS}
    )
"""  # noqa: S608 - the pieces are constants

# One statement has one snapshot: rows, counts and total are consistent.
SLICE = text(
    f"""
    WITH {_VISIBLE}
    , page AS MATERIALIZED (
        SELECT user_id, score, sort_key, reached_at FROM shown
        ORDER BY sort_key, reached_at, user_id
        OFFSET :offset LIMIT :limit
    )
    SELECT user_id, score, reached_at,
           (SELECT count(*) FROM shown) AS total,
           (SELECT count(*) FROM shown WHERE sort_key < (SELECT min(sort_key) FROM page)) AS above,
           (SELECT count(*) FROM shown WHERE sort_key <= (SELECT max(sort_key) FROM page)) AS through
    FROM (SELECT 1) AS always LEFT JOIN page ON true
    ORDER BY page.sort_key, page.reached_at, page.user_id
    """  # noqa: S608 - the piece is a constant
)

# The board is scanned once, however many slices are requested.
SLICES = text(
    f"""
    WITH {_VISIBLE}
    , numbered AS (
        SELECT user_id, score, reached_at, row_number() OVER (ORDER BY sort_key, reached_at, user_id) AS place,
               rank() OVER (ORDER BY sort_key) - 1 AS above, count(*) OVER (PARTITION BY sort_key) AS equals
        FROM shown
    )
    SELECT user_id, score, reached_at, place, above, above + equals AS through, (SELECT count(*) FROM shown) AS total
    FROM (SELECT 1) AS always LEFT JOIN numbered ON place <@ (
        SELECT range_agg(int8range(first, first + size, '(]'))
        FROM unnest(CAST(:offsets AS bigint[]), CAST(:limits AS bigint[])) AS r(first, size)
    )
    """  # noqa: S608 - the piece is a constant
)

# The board is scanned once, however many users are requested: rows are counted between the sort keys of the users.
STANDINGS = text(
    f"""
    WITH {_VISIBLE}
    , chosen AS MATERIALIZED (
        SELECT user_id, score, sort_key, reached_at FROM shown WHERE user_id = ANY(CAST(:users AS uuid[]))
    ), bounds AS MATERIALIZED (
        SELECT array_agg(DISTINCT sort_key ORDER BY sort_key) AS keys FROM chosen
    ), gaps AS MATERIALIZED (
        SELECT width_bucket(s.sort_key, b.keys) AS gap, count(*) AS users,
               count(*) FILTER (WHERE s.sort_key = b.keys[width_bucket(s.sort_key, b.keys)]) AS equals
        FROM shown s CROSS JOIN bounds b
        GROUP BY 1
    ), counted AS (
        SELECT keys[gap] AS sort_key, sum(users) OVER (ORDER BY gap) - users AS above, equals
        FROM gaps CROSS JOIN bounds
    )
    SELECT i.user_id, c.score, c.reached_at, n.above, n.above + n.equals AS through,
           (SELECT coalesce(sum(users), 0) FROM gaps) AS total,
           n.above + (SELECT count(*) FROM shown WHERE sort_key = c.sort_key
                      AND (reached_at, user_id) < (c.reached_at, c.user_id)) AS rank
    FROM (SELECT 1) AS always
    LEFT JOIN unnest(CAST(:users AS uuid[])) WITH ORDINALITY AS i(user_id, ord) ON true
    LEFT JOIN chosen c USING (user_id)
    LEFT JOIN counted n USING (sort_key)
    ORDER BY i.ord
    """  # noqa: S608 - the piece is a constant
)

_COUNT = f"""
    WITH {_VISIBLE}
    SELECT count(*) FROM shown
    WHERE (sort_key, reached_at, user_id) {{comparison}}
          (:sort_key, CAST(:reached_at AS timestamptz), CAST(:user_id AS uuid))
"""  # noqa: S608 - the piece is a constant
COUNT_BEFORE = text(_COUNT.format(comparison="<"))
COUNT_THROUGH = text(_COUNT.format(comparison="<="))


async def read_slice(connection: AsyncConnection, board: Board, offset: int, limit: int) -> tuple[BoardSlice, int]:
    """Read `limit` rows of a board from a 0-based `offset` on, and the number of visible users."""
    rows = (await connection.execute(SLICE, board_parameters(board) | {"offset": offset, "limit": limit})).all()
    found = [BoardRow(row.user_id, row.score, row.reached_at) for row in rows if row.user_id is not None]
    return BoardSlice(offset, rows[0].above, rows[0].through, found), rows[0].total


async def read_slices(
    connection: AsyncConnection, board: Board, ranges: Sequence[tuple[int, int]]
) -> tuple[list[BoardSlice], int]:
    """Read the slices with these offsets and limits, and the number of visible users."""
    if len(ranges) == 1:
        slice_, total = await read_slice(connection, board, *ranges[0])
        return [slice_], total
    named = {"offsets": [offset for offset, _ in ranges], "limits": [limit for _, limit in ranges]}
    rows = (await connection.execute(SLICES, board_parameters(board) | named)).all()
    placed = {row.place: row for row in rows}
    return [_slice(placed, offset, limit) for offset, limit in ranges], rows[0].total


async def read_standings(
    connection: AsyncConnection, board: Board, users: Sequence[UUID]
) -> tuple[list[BoardSlice | None], int]:
    """Read each user's row as a slice of one, None for a user who is not visible, and the number of visible users."""
    rows = (await connection.execute(STANDINGS, board_parameters(board) | {"users": list(users)})).all()
    slices = [
        None if row.score is None
        else BoardSlice(int(row.rank), int(row.above), int(row.through), [BoardRow(row.user_id, row.score,
        row.reached_at)]) for row in rows if row.user_id is not None
    ]  # fmt: skip
    return slices, int(rows[0].total)


async def count_before(connection: AsyncConnection, board: Board, position: Position, *, through: bool = False) -> int:
    """Count the users before a position; with `through` also one at the position."""
    statement = COUNT_THROUGH if through else COUNT_BEFORE
    place = {"sort_key": position.sort_key, "reached_at": position.reached_at, "user_id": position.user_id}
    counted: int = (await connection.execute(statement, board_parameters(board) | place)).scalar_one()
    return counted


def board_parameters(board: Board) -> dict[str, Any]:
    """Return the parameters of a board in `VISIBLE_ROWS`."""
    period, start = window_key(board.window)
    return {"category": board.category, "period": period, "start": start}


def _slice(placed: Mapping[int, Any], offset: int, limit: int) -> BoardSlice:
    rows = [placed[place] for place in range(offset + 1, offset + limit + 1) if place in placed]
    found = [BoardRow(row.user_id, row.score, row.reached_at) for row in rows]
    return BoardSlice(offset, rows[0].above if rows else 0, rows[-1].through if rows else 0, found)
