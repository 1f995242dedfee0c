"""The past of an all-time board computed from the whole ledger: slow, simple, and what every faster way must equal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.wiring import App

# The score of a user is the sum of the deltas by then, and was reached by the last of them.
WHOLE_BOARD = text(
    """
    WITH state AS (
        SELECT user_id, sum(delta) AS score, max(created_at) AS reached_at FROM score_transactions
        WHERE category_id = :category AND created_at <= :as_of AND delta <> 0
        GROUP BY user_id
    )
    SELECT user_id, score, reached_at FROM state
    JOIN users u ON u.id = user_id AND u.hidden_at IS NULL AND u.deleted_at IS NULL
    JOIN categories c ON c.id = :category
    WHERE score > 0 OR (c.operator = 'SUM' AND c.sort_order = 'HIGH_FIRST')
    ORDER BY CASE c.sort_order WHEN 'HIGH_FIRST' THEN -score ELSE score END, reached_at, user_id
    """
)


@dataclass(frozen=True)
class ExactRow:
    """A user on a board, with the ranks that follow from a list of all users in order."""

    user_id: UUID
    score: int
    reached_at: datetime
    rank: int
    competition_rank: int
    tied_with: int


async def exact_board(app: App, category: str, as_of: datetime) -> list[ExactRow]:
    """Return the whole board of a category as it was at an instant."""
    async with app.database.connect() as connection:
        rows = (await connection.execute(WHOLE_BOARD, {"category": category, "as_of": as_of})).all()
    scores = [int(row.score) for row in rows]
    return [
        ExactRow(row.user_id, score, row.reached_at, index + 1, scores.index(score) + 1, scores.count(score) - 1)
        for index, (row, score) in enumerate(zip(rows, scores, strict=True))
    ]
