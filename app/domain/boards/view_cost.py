"""The cost of views: how much of a store's time the read of a view takes."""

from __future__ import annotations

from math import ceil
from typing import Any

from app.domain.boards.board import TOP
from app.domain.boards.views import After, Around, Before, Head, Slice, UserSelection, View, flatten

ENTRIES_PER_LOOKUP = 10
"""Entries that follow each other on a board and cost about as much as the look-up of one user."""

_HEAD = Head()


def lookups(*views: View[Any]) -> int:
    """Return the cost of reading `views` together, in look-ups of one user on a board.

    It follows from the arguments alone: users who are not on the board cost as much as those who are.
    """
    return sum(_lookups(view) for view in flatten(views))


def lookups_beyond_head(view: View[Any]) -> int:
    """Return the cost of reading `view` together with the head of the board, without that of the head."""
    return lookups(_HEAD, view) - lookups(_HEAD)


def _lookups(view: View[Any]) -> int:
    match view:
        case Head():
            return _entries(TOP)
        case Slice(_, limit):
            return _entries(limit)
        case Around(_, radius):
            return 1 + _entries(2 * radius + 1)
        case After(_, limit) | Before(_, limit):
            return 1 + _entries(limit)
        case UserSelection(users):
            return max(1, len(users))
        case _:  # A player.
            return 1


def _entries(count: int) -> int:
    return ceil(count / ENTRIES_PER_LOOKUP)
