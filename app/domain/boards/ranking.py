"""Ranking: from a stretch of a board in order to ranks, the same arithmetic whichever store the rows came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A user on a board, without a rank: what a store keeps."""

    user_id: UUID
    score: int
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class BoardSlice:
    """Consecutive lines of a board from a 0-based `offset` on.

    `above` counts the users with a better score than the first line, `through` those no worse than the last: with
    them, ties that reach over the edges of the stretch are counted right.
    """

    offset: int
    above: int
    through: int
    rows: Sequence[BoardRow]


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A line with its ranks; their meaning is that of `app.domain.boards.board.Entry`."""

    row: BoardRow
    rank: int
    competition_rank: int
    tied_with: int


def assign_ranks(slice_: BoardSlice) -> list[RankedRow]:
    """The lines with their ranks, in order."""
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
