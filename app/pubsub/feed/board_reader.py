"""What a feed needs of the stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from app.domain.boards.board import Board, Version
from app.domain.boards.views import State, View


class BoardReader(Protocol):
    """Reads boards for feeds. Both calls end within a bounded time, whatever the stores do."""

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """Read the state of each view, in the order of `views` and all of one version, in one call to a store.

        Redis answers, else PostgreSQL. Within an epoch versions never decrease; all reads from PostgreSQL by one
        process share an epoch.

        Raises:
            ServiceUnavailable: Neither store answers.
        """
        ...

    async def read_version(self, board: Board) -> Version:
        """Read the version of the board in Redis, which is cheap. Raises ServiceUnavailable if Redis has none."""
        ...

    def report_regression(self, board: Board, version: Version) -> None:
        """Have the copy of the board replaced, because it is at `version` and was at a newer one before."""
        ...
