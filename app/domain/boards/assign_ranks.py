"""Ranking: the ranks of the rows of a board slice, whichever store they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A user on a board as a store keeps it, without a rank."""

    user_id: UUID
    score: int
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class BoardSlice:
    """Consecutive rows of a board, with the counts that ranks of ties across its edges need.

    Attributes:
        offset: The number of rows before the slice.
        above: The number of users with a better score than the first row.
        through: The number of users whose score is not worse than that of the last row.
        rows: The rows in board order.
    """

    offset: int
    above: int
    through: int
    rows: Sequence[BoardRow]


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A row with its ranks; see `app.domain.boards.board.Entry` for their meaning."""

    row: BoardRow
    rank: int
    competition_rank: int
    tied_with: int


def assign_ranks(slice_: BoardSlice) -> list[RankedRow]:
    """Return the rows of a slice with their ranks, in order."""
    ranked: list[RankedRow] = []
    rows, size = slice_.rows, len(slice_.rows)
    first = 0
    while first < size:
        end = first + 1
        while end < size and rows[end].score == rows[first].score:
            end += 1
        above = slice_.above if first == 0 else slice_.offset + first
        through = slice_.through if end == size else slice_.offset + end
        ranked += [RankedRow(rows[i], slice_.offset + i + 1, above + 1, through - above - 1) for i in range(first, end)]
        first = end
    return ranked
