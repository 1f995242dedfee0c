"""The one door through which a feed reads all that is watched on its board."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from app.domain.boards.board import Board, Version
from app.domain.boards.views import Around, Head, Player, S, State, View, with_extra_views

__all__ = ["Around", "BoardReader", "Head", "Player", "S", "State", "View", "with_extra_views"]


class BoardReader(Protocol):
    """How a feed reads a board. Both calls end within a bounded time, whatever the stores do."""

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """The state of each view, in the order of `views` and all of one version, in one trip to a store.

        Redis answers, else PostgreSQL. An epoch names one run of versions that never goes back: PostgreSQL's readings
        have an epoch of their own which stays the same from reading to reading. Raises ServiceUnavailable when
        neither answers.
        """
        ...

    async def read_version(self, board: Board) -> Version:
        """The version of the copy in Redis, cheaply. Raises ServiceUnavailable when Redis does not answer."""
        ...
