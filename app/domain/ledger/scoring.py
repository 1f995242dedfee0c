"""Scoring: how an award changes a score, and how scores sort."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.catalogue.catalogue import Category, Operator, SortOrder


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A user's state on one board.

    A score of 0 is no score, whatever the order of the board: awards pay at least 1, so only a correction results in
    one, and its row is hidden.

    Attributes:
        reached_at: When the score was reached; of equal scores the earlier ranks higher.
        revision: The number of changes of the row. Of two states the one with the higher revision is newer.
    """

    score: int
    reached_at: datetime
    revision: int
    hidden: bool = False


def sort_key(order: SortOrder, score: int) -> int:
    """Return the number by which boards sort in ascending order."""
    return -score if order is SortOrder.HIGH_FIRST else score


def next_score(category: Category, current: int | None, points: int) -> int:
    """Return the score after an award of `points` to `current` (None or 0: no score yet), from 0 to the cap."""
    match category.operator:
        case Operator.SUM:
            wanted = (current or 0) + points
        case Operator.BEST if current:
            best = max if category.sort_order is SortOrder.HIGH_FIRST else min
            wanted = best(current, points)
        case _:
            wanted = points
    return max(0, min(category.score_cap, wanted))


def revise(category: Category, row: ScoreRow | None, score: int, now: datetime, *, hidden: bool) -> ScoreRow:
    """Return the row with this score. An equal score keeps its `reached_at`, so that repeating a best loses no tie.

    Two scores of a row are never reached at the same time, however clocks differ: the time identifies the transaction.
    """
    hidden = hidden or (score == 0 and not category.ranks_zero)
    if row is None:
        return ScoreRow(score, now, 1, hidden)
    reached_at = row.reached_at if row.score == score else max(now, row.reached_at + timedelta(microseconds=1))
    return ScoreRow(score, reached_at, row.revision + 1, hidden)
