"""Rows of boards in bulk, to load, repair and compare the copies in Redis."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, Window
from app.domain.ledger.posting import ScoreChange
from app.domain.ledger.scoring import ScoreRow
from app.models.statements.boards.read_boards import VISIBLE_ROWS, board_parameters

# In the order of an index: hidden rows last, otherwise board order.
_ROWS = """
    SELECT user_id, score, sort_key, reached_at, revision, hidden FROM scores
    WHERE category_id = :category AND period = :period AND window_start = :start {after}
    ORDER BY hidden, sort_key, reached_at, user_id LIMIT :limit
"""
FIRST_ROWS = text(_ROWS.format(after=""))
NEXT_ROWS = text(
    _ROWS.format(after="AND (hidden, sort_key, reached_at, user_id) > (:hidden, :sort_key, :reached_at, :user_id)")
)

ROWS_OF_USERS = text(
    """
    SELECT user_id, score, sort_key, reached_at, revision, hidden FROM scores
    WHERE category_id = :category AND period = :period AND window_start = :start
      AND user_id = ANY(CAST(:users AS uuid[]))
    """
)

RECENT_ROWS = text(
    """
    SELECT s.category_id, s.period, s.window_start, s.user_id, s.score, s.sort_key, s.reached_at, s.revision, s.hidden
    FROM (
        SELECT user_id, category_id FROM score_transactions WHERE created_at >= :since AND category_id IS NOT NULL
        GROUP BY user_id, category_id HAVING max(created_at) <= :until
        UNION
        SELECT t.user_id, c.id FROM score_transactions t CROSS JOIN categories c
        WHERE t.created_at >= :since AND t.category_id IS NULL
    ) t
    JOIN scores s ON s.user_id = t.user_id AND s.category_id = t.category_id
    JOIN unnest(CAST(:periods AS text[]), CAST(:starts AS date[])) AS w(period, window_start)
        ON w.period = s.period AND w.window_start = s.window_start
    ORDER BY s.category_id, s.user_id
    """
)

ROWS_OF_PLAYERS = text(
    """
    SELECT s.category_id, s.period, s.window_start, s.user_id, s.score, s.sort_key, s.reached_at, s.revision, s.hidden
    FROM unnest(CAST(:users AS uuid[]), CAST(:categories AS text[])) AS g(user_id, category_id)
    JOIN scores s USING (user_id, category_id)
    JOIN unnest(CAST(:periods AS text[]), CAST(:starts AS date[])) AS w(period, window_start)
        ON w.period = s.period AND w.window_start = s.window_start
    ORDER BY s.category_id, s.user_id
    """
)

COUNT_VISIBLE = text(f"SELECT count(*) FROM scores WHERE {VISIBLE_ROWS}")  # noqa: S608 - the piece is a constant
COUNT_ROWS = text(
    "SELECT count(*) FROM scores WHERE category_id = :category AND period = :period AND window_start = :start"
)
USERS_OF_BOARD = text(
    """
    SELECT user_id FROM scores
    WHERE category_id = :category AND period = :period AND window_start = :start
      AND user_id = ANY(CAST(:users AS uuid[]))
    """
)


async def read_rows(
    connection: AsyncConnection, board: Board, after: ScoreChange | None, limit: int
) -> list[ScoreChange]:
    """Read the next `limit` rows of a board after the row `after` (None: from the first), hidden ones included.

    A row that changes between two calls may be missed, or returned twice with different content.
    """
    values = board_parameters(board) | {"limit": limit}
    if after is None:
        rows = await connection.execute(FIRST_ROWS, values)
    else:
        position = {
            "hidden": after.row.hidden,
            "sort_key": after.sort_key,
            "reached_at": after.row.reached_at,
            "user_id": after.user_id,
        }
        rows = await connection.execute(NEXT_ROWS, values | position)
    return [to_score_change(board, row) for row in rows]


async def read_rows_of(connection: AsyncConnection, board: Board, users: Sequence[UUID]) -> list[ScoreChange]:
    """Read the rows of `users` on the board, hidden ones included."""
    rows = await connection.execute(ROWS_OF_USERS, board_parameters(board) | {"users": list(users)})
    return [to_score_change(board, row) for row in rows]


async def read_recent_rows(
    connection: AsyncConnection, since: datetime, until: datetime, windows: Sequence[Window]
) -> list[ScoreChange]:
    """Read the rows in `windows` of users with a transaction since `since` and none after `until`.

    The rows of a category are consecutive.
    """
    rows = await connection.execute(RECENT_ROWS, {"since": since, "until": until, **_window_parameters(windows)})
    return _of_boards(rows)


async def read_rows_of_players(
    connection: AsyncConnection, players: Collection[tuple[UUID, str]], windows: Sequence[Window]
) -> list[ScoreChange]:
    """Read the rows in `windows` of users in one category each. The rows of a category are consecutive."""
    users, categories = [user for user, _ in players], [category for _, category in players]
    rows = await connection.execute(
        ROWS_OF_PLAYERS, {"users": users, "categories": categories, **_window_parameters(windows)}
    )
    return _of_boards(rows)


async def count_visible(connection: AsyncConnection, board: Board) -> int:
    """Count the visible rows of a board."""
    shown: int = (await connection.execute(COUNT_VISIBLE, board_parameters(board))).scalar_one()
    return shown


async def count_rows(connection: AsyncConnection, board: Board) -> int:
    """Count all rows of a board, hidden ones included."""
    rows: int = (await connection.execute(COUNT_ROWS, board_parameters(board))).scalar_one()
    return rows


async def read_users_with_rows(connection: AsyncConnection, board: Board, users: Sequence[UUID]) -> set[UUID]:
    """Return those of `users` who have a row on the board, hidden or not."""
    rows = await connection.execute(USERS_OF_BOARD, board_parameters(board) | {"users": list(users)})
    return {row.user_id for row in rows}


def to_score_change(board: Board, row: Iterable[Any]) -> ScoreChange:
    """Return a row, as `_ROWS` selects it, as a change to its state."""
    # Unpacked, which is much faster than reading columns by name: a rebuild converts all rows of a board.
    user_id, score, sort_key, reached_at, revision, hidden = row
    return ScoreChange(board, user_id, ScoreRow(score, reached_at, revision, hidden), sort_key)


def _window_parameters(windows: Sequence[Window]) -> dict[str, Any]:
    return {
        "periods": [window.period.value for window in windows],
        "starts": [window.start for window in windows],
    }


def _of_boards(rows: Iterable[Any]) -> list[ScoreChange]:
    return [
        to_score_change(Board(row.category_id, Window(Period(row.period), row.window_start)), row[3:]) for row in rows
    ]
