"""Reading boards from the table of scores, in the very order that Redis keeps."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards import Board
from app.domain.ranking import Line, Stretch
from app.models.scores import window_key

SHOWN = "category_id = :category AND period = :period AND window_start = :start AND NOT hidden"

# One statement is one snapshot: page, edges and total are of the same moment.
STRETCH = text(
    f"""
    WITH page AS MATERIALIZED (
        SELECT user_id, score, sort_key, reached_at FROM scores
        WHERE {SHOWN}
        ORDER BY sort_key, reached_at, user_id
        OFFSET :offset LIMIT :limit
    )
    SELECT user_id, score, reached_at,
           (SELECT count(*) FROM scores WHERE {SHOWN}) AS total,
           (SELECT count(*) FROM scores WHERE {SHOWN} AND sort_key < (SELECT min(sort_key) FROM page)) AS above,
           (SELECT count(*) FROM scores WHERE {SHOWN} AND sort_key <= (SELECT max(sort_key) FROM page)) AS through
    FROM (SELECT 1) AS always LEFT JOIN page ON true
    ORDER BY page.sort_key, page.reached_at, page.user_id
    """  # noqa: S608 - the pieces are constants
)

PLACES = text(
    f"""
    SELECT i.user_id, s.score, s.reached_at,
           (SELECT count(*) FROM scores WHERE {SHOWN}) AS total,
           (SELECT count(*) FROM scores WHERE {SHOWN}
               AND (sort_key, reached_at, user_id) < (s.sort_key, s.reached_at, s.user_id)) AS rank,
           (SELECT count(*) FROM scores WHERE {SHOWN} AND sort_key < s.sort_key) AS above,
           (SELECT count(*) FROM scores WHERE {SHOWN} AND sort_key <= s.sort_key) AS through
    FROM unnest(CAST(:users AS uuid[])) WITH ORDINALITY AS i(user_id, ord)
    LEFT JOIN scores s ON s.user_id = i.user_id AND s.category_id = :category AND s.period = :period
        AND s.window_start = :start AND NOT s.hidden
    ORDER BY i.ord
    """  # noqa: S608 - the pieces are constants
)


async def read_stretch(connection: AsyncConnection, board: Board, offset: int, limit: int) -> tuple[Stretch, int]:
    """`limit` lines of a board from a 0-based `offset` on, and how many users the board shows."""
    rows = (await connection.execute(STRETCH, of_board(board) | {"offset": offset, "limit": limit})).all()
    lines = [Line(row.user_id, row.score, row.reached_at) for row in rows if row.user_id is not None]
    return Stretch(offset, rows[0].above, rows[0].through, lines), rows[0].total


async def read_places(connection: AsyncConnection, board: Board, users: list[UUID]) -> tuple[list[Stretch | None], int]:
    """Each user's own line, as a stretch of one; None for a user whom the board does not show. And the total."""
    rows = (await connection.execute(PLACES, of_board(board) | {"users": users})).all()
    stretches = [
        None if row.score is None
        else Stretch(row.rank, row.above, row.through, [Line(row.user_id, row.score, row.reached_at)])
        for row in rows
    ]  # fmt: skip
    return stretches, rows[0].total if rows else 0


def of_board(board: Board) -> dict[str, Any]:
    """The parameters that name a board in `SHOWN`."""
    period, start = window_key(board.window)
    return {"category": board.category, "period": period, "start": start}
