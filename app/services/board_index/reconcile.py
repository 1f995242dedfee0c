"""Reconcile: what Redis missed is found in PostgreSQL and put right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import structlog

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, window_of
from app.domain.ledger.posting import ScoreChange
from app.models.statements.boards.board_rows import count_shown, read_recent_rows, read_rows, read_users_with_rows
from app.services.board_index import BoardIndex, BoardNotLoaded, IndexLoader
from app.services.board_index.layout import RETENTION
from app.services.board_index.rebuild import ROWS_PER_CHUNK, live_boards
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

REPAIR_LOOK_BACK = timedelta(seconds=30)
"""How far the repair of recent scores looks back: longer than any transaction can take."""

MIN_QUIET_TIME = timedelta(seconds=2)
"""How long a player must have been quiet for the repair to look at them."""


class Reconcile:
    """Repairs the copies. Rows are guarded by their revision, so repairing what is right changes nothing."""

    def __init__(
        self,
        database: Database,
        score_changes: BoardIndex,
        index_loader: IndexLoader,
        catalogue: CatalogueService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._standings = score_changes
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._clock = clock
        self._seen: dict[tuple[Board, UUID], int] = {}
        """The revisions that the last look found."""

    async def recent(self, since: datetime | None = None) -> int:
        """Put once more what changed since then, or in the last 30 seconds and not yet put by the last call.

        Who is just playing is left alone: their next put brings everything with it. Returns the number of rows.
        """
        now = self._clock()
        # What was committed right before a window ended may have been missed, and be found only after its end.
        # A miss may have been of a user who was hidden: that concerns every window that Redis still holds.
        instants = [now, now - REPAIR_LOOK_BACK]
        if since is not None:
            instants += [now - timedelta(days=days) for days in range(1, RETENTION.days + 1)]
        windows = list({window_of(period, instant) for period in Period for instant in instants})
        async with self._database.connect() as connection:
            until = now + REPAIR_LOOK_BACK if since else now - MIN_QUIET_TIME
            found = await read_recent_rows(connection, min(since or now, now) - REPAIR_LOOK_BACK, until, windows)
        seen, self._seen = self._seen, {(row.board, row.user_id): row.row.revision for row in found}
        rows = found if since else [row for row in found if seen.get((row.board, row.user_id)) != row.row.revision]
        for _, group in groupby(rows, key=lambda row: row.board.category):
            category_rows = list(group)
            for start in range(0, len(category_rows), ROWS_PER_CHUNK):
                with suppress(BoardNotLoaded):  # It is being rebuilt, which covers these rows.
                    await self._standings.put(category_rows[start : start + ROWS_PER_CHUNK])
        return len(rows)

    async def everything(self) -> None:
        """Compare all live boards with PostgreSQL, row by row, and remove users that PostgreSQL does not know."""
        for board in list(live_boards(self._catalogue, self._clock())):
            with suppress(BoardNotLoaded):
                await self._board(board)

    async def _board(self, board: Board) -> None:
        after: ScoreChange | None = None
        while True:
            async with self._database.connect() as connection:
                rows = await read_rows(connection, board, after, ROWS_PER_CHUNK)
            if rows:
                await self._standings.put(rows)
                after = rows[-1]
            if len(rows) < ROWS_PER_CHUNK:
                break
        async with self._database.connect() as connection:
            shown = await count_shown(connection, board)
        if await self._index_loader.size(board) != shown:
            await self._sweep(board)

    async def _sweep(self, board: Board) -> None:
        known = list(await self._index_loader.users(board))
        for start in range(0, len(known), ROWS_PER_CHUNK):
            chunk = known[start : start + ROWS_PER_CHUNK]
            async with self._database.connect() as connection:
                real = await read_users_with_rows(connection, board, chunk)
            for user_id in set(chunk) - real:
                log.warning("stray_member_removed", board=board.key, user=str(user_id))
                await self._index_loader.remove_user(board, user_id)
