"""Reconcile: find what Redis missed, and correct it from PostgreSQL."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import structlog

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, window_of
from app.domain.ledger.posting import ScoreChange
from app.models.statements.boards.board_rows import count_visible, read_recent_rows, read_rows, read_users_with_rows
from app.runtime import Runtime
from app.services.board_index import BoardIndex, BoardNotLoaded, IndexLoader
from app.services.board_index.layout import RETENTION
from app.services.board_index.rebuild import ROWS_PER_CHUNK, live_boards
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

REPAIR_LOOK_BACK = timedelta(seconds=30)
"""How far the repair of recent scores looks back: longer than any transaction takes."""

MIN_QUIET_TIME = timedelta(seconds=2)
"""How long a user must have had no transaction before the repair writes the user's rows again."""


class Reconcile:
    """Repairs the board index. Rows are guarded by their revision, so that correct rows do not change."""

    def __init__(
        self,
        database: Database,
        index: BoardIndex,
        index_loader: IndexLoader,
        catalogue: CatalogueService,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._index = index
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._runtime = runtime
        self._last_revisions: dict[tuple[Board, UUID], int] = {}
        """The revisions that the last call has put."""

    async def recent(self, since: datetime | None = None) -> int:
        """Put recently changed rows again: those since `since`, or those of the last 30 seconds.

        Without `since`, rows that the last call has put are left out, and so are users who are just playing: their
        next put covers all their rows. If no instance has repaired the copies for longer than that, all rows are put
        that were changed since: Redis knows until when it has everything.

        Returns:
            The number of rows.
        """
        now = self._runtime.clock()
        copies = {} if since else await self._copies()
        behind = min(copies.values(), default=now)
        if since is None and behind < now - REPAIR_LOOK_BACK:
            since = behind
        # A row that was committed right before a window ended may be repaired after its end. Hiding a user changes rows
        # of every window that Redis holds.
        instants = [now, now - REPAIR_LOOK_BACK]
        if since is not None:
            instants += [now - timedelta(days=days) for days in range(1, RETENTION.days + 1)]
        windows = list({window_of(period, instant) for period in Period for instant in instants})
        async with self._database.connect() as connection:
            until = now + REPAIR_LOOK_BACK if since else now - MIN_QUIET_TIME
            found = await read_recent_rows(connection, min(since or now, now) - REPAIR_LOOK_BACK, until, windows)
        repaired = self._last_revisions
        self._last_revisions = {(row.board, row.user_id): row.row.revision for row in found}
        rows = found if since else [row for row in found if repaired.get((row.board, row.user_id)) != row.row.revision]
        for _, group in groupby(rows, key=lambda row: row.board.category):
            category_rows = list(group)
            for start in range(0, len(category_rows), ROWS_PER_CHUNK):
                with suppress(BoardNotLoaded):  # A rebuild is running, which covers these rows.
                    await self._index.put(category_rows[start : start + ROWS_PER_CHUNK])
        for category, epoch in copies:
            await self._index_loader.set_repaired(category, epoch, now)
        return len(rows)

    async def _copies(self) -> dict[tuple[str, str], datetime]:
        """Return by category and epoch until when the copies have everything that was committed."""
        states = [
            (category, await self._index_loader.examine(category)) for category in self._catalogue.current.categories
        ]
        return {
            (category, state.epoch): state.repaired_until
            for category, state in states
            if state.epoch is not None and state.is_loaded
        }

    async def everything(self) -> None:
        """Write all rows of the open boards again, and remove users that PostgreSQL does not have."""
        for board in list(live_boards(self._catalogue, self._runtime.clock())):
            with suppress(BoardNotLoaded):
                await self._reconcile_board(board)

    async def _reconcile_board(self, board: Board) -> None:
        after: ScoreChange | None = None
        while True:
            async with self._database.connect() as connection:
                rows = await read_rows(connection, board, after, ROWS_PER_CHUNK)
            if rows:
                await self._index.put(rows)
                after = rows[-1]
            if len(rows) < ROWS_PER_CHUNK:
                break
        async with self._database.connect() as connection:
            shown = await count_visible(connection, board)
        if await self._index_loader.size(board) != shown:
            await self._remove_strays(board)

    async def _remove_strays(self, board: Board) -> None:
        indexed = list(await self._index_loader.users(board))
        for start in range(0, len(indexed), ROWS_PER_CHUNK):
            chunk = indexed[start : start + ROWS_PER_CHUNK]
            async with self._database.connect() as connection:
                existing = await read_users_with_rows(connection, board, chunk)
            for user_id in set(chunk) - existing:
                log.warning("stray_member_removed", board=board.key, user=str(user_id))
            await self._index_loader.remove_users(board, set(chunk) - existing)
