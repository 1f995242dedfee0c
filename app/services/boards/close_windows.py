"""Closing of windows: what a window ended with is written down once, in the order in which windows end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, Window
from app.models.statements.boards.closed_windows import close_window, read_first_open_windows
from app.services.board_index import IndexLoader, RedisUnreachable
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

CLOSING_DELAY = timedelta(seconds=30)
"""How long after its end a window is closed: a transaction that began before has long been committed or given up."""

MAX_WINDOWS_PER_RUN = 400
"""How many windows are closed at a time: after a long downtime the rest follows with the next turns of the job."""


class CloseWindows:
    """Closes the windows that are over, those missed while nobody ran among them.

    The constraint in PostgreSQL decides who closes a window: it happens once, whichever instances try.
    """

    def __init__(
        self, database: Database, index_loader: IndexLoader, catalogue: CatalogueService, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._clock = clock

    async def __call__(self) -> list[Board]:
        """Close what is due and return what was closed here, in order. Raises ServiceUnavailable."""
        now = self._clock()
        closed = []
        for board in await self._due(now):
            async with self._database.begin() as connection:
                if await close_window(connection, board, now):
                    closed.append(board)
                    log.info("window_closed", board=board.key)
        for category in {board.category for board in closed}:
            with suppress(RedisUnreachable):  # It is about room in Redis alone, and done again after the next closing.
                await self._index_loader.delete_evicted_versions(category, now)
        return closed

    async def _due(self, now: datetime) -> list[Board]:
        kinds = [
            (category.id, period)
            for category in self._catalogue.current.categories.values()
            for period in sorted(category.periods - {Period.ALL_TIME})
        ]
        async with self._database.connect() as connection:
            unclosed = await read_first_open_windows(connection, kinds)
        boards = [
            (window.ends_at, Board(category, window))
            for (category, _), first in unclosed.items()
            for window in _over(first, now)
        ]
        boards.sort(key=lambda one: (one[0], one[1].key))
        return [board for _, board in boards[:MAX_WINDOWS_PER_RUN]]


def _over(window: Window, now: datetime) -> Iterator[Window]:
    """`window` and those after it, as far as they are over."""
    while window.is_closed(now - CLOSING_DELAY):
        yield window
        window = window.next
