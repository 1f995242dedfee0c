"""What a feed needs of the stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from app.domain.boards.board import Board, Page, Version
from app.domain.boards.views import State, View


class BoardReader(Protocol):
    """Reads boards for feeds. Every call ends within a bounded time, whatever the stores do."""

    async def read_head(self, board: Board) -> Page:
        """Read the head of the board, in one small call to a store that no other read delays.

        Raises:
            ServiceUnavailable: Neither store answers.
        """
        ...

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """Read the state of each view, in the order of `views` and all of one version, in one call to a store.

        Redis answers, else PostgreSQL. Within an epoch versions never decrease; all reads from PostgreSQL by one
        process share an epoch.

        Raises:
            ServiceUnavailable: Neither store answers, or Redis takes too long for views that are this expensive.
        """
        ...

    async def read_version(self, board: Board) -> Version:
        """Read the version of the board in Redis, which is cheap. Raises ServiceUnavailable if Redis has none."""
        ...

    def report_regression(self, board: Board, version: Version) -> None:
        """Have the copy of the board replaced, because it is at `version` and was at a newer one before."""
        ...
