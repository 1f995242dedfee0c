"""The statements about closed windows: close one, find the first that is open, and read a user's ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, Window
from app.domain.players.score_history import RankPoint
from app.models.statements.boards.read_boards import VISIBLE_ROWS, board_parameters

BOARD_COLUMNS = "CAST(:category AS varchar), CAST(:period AS varchar), CAST(:start AS date)"

# The primary key ensures that a window is closed once: a second caller waits for the first, then inserts nothing.
CLOSE_WINDOW = text(
    f"""
    WITH closed AS (
        INSERT INTO window_closings (category_id, period, window_start, closed_at, total_users)
        SELECT {BOARD_COLUMNS}, CAST(:now AS timestamptz), count(*) FROM scores WHERE {VISIBLE_ROWS}
        ON CONFLICT DO NOTHING
        RETURNING total_users
    ), histogram AS (
        INSERT INTO closing_scores (category_id, period, window_start, sort_key, users, above)
        SELECT {BOARD_COLUMNS}, sort_key, count(*), sum(count(*)) OVER (ORDER BY sort_key) - count(*)
        FROM scores WHERE {VISIBLE_ROWS} AND EXISTS (SELECT FROM closed)
        GROUP BY sort_key
    )
    SELECT total_users FROM closed
    """  # noqa: S608 - the pieces are constants
)

FIRST_OPEN_WINDOWS = text(
    """
    SELECT i.category_id, i.period,
           (SELECT max(window_start) FROM window_closings c
            WHERE c.category_id = i.category_id AND c.period = i.period) AS closed,
           (SELECT min(window_start) FROM scores s
            WHERE s.category_id = i.category_id AND s.period = i.period) AS earliest
    FROM unnest(CAST(:categories AS text[]), CAST(:periods AS text[])) AS i(category_id, period)
    """
)

# How many users with the same score as row `s` reached it earlier.
_EARLIER = """
    (SELECT count(*) FROM scores o
     WHERE o.category_id = s.category_id AND o.period = s.period AND o.window_start = s.window_start
       AND NOT o.hidden AND o.sort_key = s.sort_key AND (o.reached_at, o.user_id) < (s.reached_at, s.user_id))
"""

CLOSED_WINDOW_RANKS = text(
    f"""
    SELECT c.window_start, c.total_users, s.score, k.above, {_EARLIER} AS earlier
    FROM window_closings c
    JOIN scores s USING (category_id, period, window_start)
    JOIN closing_scores k USING (category_id, period, window_start, sort_key)
    WHERE c.category_id = :category AND c.period = :period AND s.user_id = :user AND NOT s.hidden
      AND c.window_start >= :first AND c.window_start < :end
    ORDER BY c.window_start
    """  # noqa: S608 - the piece is a constant
)


IS_CLOSED = text(
    """
    SELECT EXISTS (SELECT FROM window_closings
                   WHERE category_id = :category AND period = :period AND window_start = :start)
    """
)
FINAL_RANKS = text(
    f"""
    SELECT s.user_id, k.above + 1 + {_EARLIER} AS rank
    FROM scores s
    JOIN closing_scores k USING (category_id, period, window_start, sort_key)
    WHERE s.category_id = :category AND s.period = :period AND s.window_start = :start AND NOT s.hidden
      AND s.user_id = ANY(CAST(:users AS uuid[]))
    """  # noqa: S608 - the piece is a constant
)


async def close_window(connection: AsyncConnection, board: Board, now: datetime) -> int | None:
    """Store the final state of a window, and return its number of users; None if that was done before."""
    closed = await connection.execute(CLOSE_WINDOW, board_parameters(board) | {"now": now})
    total_users: int | None = closed.scalar_one_or_none()
    return total_users


async def read_first_open_windows(
    connection: AsyncConnection, kinds: Sequence[tuple[str, Period]]
) -> Mapping[tuple[str, Period], Window]:
    """Return the first window that is not closed, by category and period; none for boards without a row."""
    named = {"categories": [category for category, _ in kinds], "periods": [period.value for _, period in kinds]}
    found = {}
    for row in await connection.execute(FIRST_OPEN_WINDOWS, named):
        period = Period(row.period)
        if row.closed is not None:
            found[row.category_id, period] = Window(period, row.closed).next
        elif row.earliest is not None:
            found[row.category_id, period] = Window(period, row.earliest)
    return found


async def read_final_ranks(
    connection: AsyncConnection, board: Board, users: Sequence[UUID]
) -> Mapping[UUID, int] | None:
    """Return the final ranks of those `users` who were on the board; None if its window is not closed yet."""
    parameters = board_parameters(board)
    if not (await connection.execute(IS_CLOSED, parameters)).scalar_one():
        return None
    rows = await connection.execute(FINAL_RANKS, parameters | {"users": list(users)})
    return {row.user_id: row.rank for row in rows}


async def read_ranks(
    connection: AsyncConnection, user_id: UUID, category: str, period: Period, first: date, end: date
) -> Sequence[RankPoint]:
    """Read a user's final ranks in the closed windows that began from day `first` on and before day `end`, in order."""
    named = {"user": user_id, "category": category, "period": period.value, "first": first, "end": end}
    points = []
    for row in await connection.execute(CLOSED_WINDOW_RANKS, named):
        window = Window(period, row.window_start)
        assert window.starts_at is not None
        assert window.ends_at is not None
        rank = row.above + row.earlier + 1
        points.append(
            RankPoint(window.starts_at, window.ends_at, rank, row.above + 1, row.score, row.total_users)
        )  # fmt: skip
    return points
