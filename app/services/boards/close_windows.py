"""Close windows: store the final state of each window once, in the order in which windows end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import structlog

from app.domain.boards.board import Board
from app.domain.boards.periods import CLOSING_DELAY, Period, Window
from app.domain.events.facts import window_closed
from app.models.statements.boards.closed_windows import close_window, read_first_open_windows
from app.services.board_index import IndexLoader
from app.services.catalogue.cache import CatalogueService
from app.services.outbox.recorder import EventRecorder
from app.stores.postgres import Database
from app.stores.redis_caller import RedisUnreachable
from app.stores.server_clock import ServerClock

log = structlog.get_logger(__name__)

MAX_WINDOWS_PER_RUN = 400
"""The maximum per run of the job: after a long downtime the next runs close the rest."""


class CloseWindows:
    """Closes all windows that are over by the clock of PostgreSQL, also those that ended while the service was down.

    A constraint in PostgreSQL ensures that each window is closed once, however many instances try.
    """

    def __init__(
        self,
        database: Database,
        index_loader: IndexLoader,
        catalogue: CatalogueService,
        events: EventRecorder,
        clock: ServerClock,
    ) -> None:
        self._database = database
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._events = events
        self._clock = clock

    async def __call__(self) -> list[Board]:
        """Close the windows that are due; return those that this call closed, in order. Raises ServiceUnavailable."""
        now = await self._clock.now()
        closed = []
        for board in await self._due(now):
            async with self._database.begin() as connection:
                total_users = await close_window(connection, board, now)
                if total_users is not None:
                    await self._events.record(connection, [window_closed(board, total_users, now)])
                    closed.append(board)
                    log.info("window_closed", board=board.key)
        for category in {board.category for board in closed}:
            with suppress(RedisUnreachable):  # This only frees memory in Redis, and is repeated after the next closing.
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
            for window in _windows_over(first, now)
        ]
        boards.sort(key=lambda one: (one[0], one[1].key))
        return [board for _, board in boards[:MAX_WINDOWS_PER_RUN]]


def _windows_over(window: Window, now: datetime) -> Iterator[Window]:
    """Yield `window` and the following ones that are over."""
    while window.is_closed(now - CLOSING_DELAY):
        yield window
        window = window.next
