"""Reconcile: find what Redis missed, and correct it from PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import structlog

from app.domain.boards.board import TOP, Board
from app.domain.boards.periods import Period, window_of
from app.models.statements.boards.board_rows import (
    count_visible,
    read_recent_rows,
    read_rows,
    read_rows_of,
    read_users_with_rows,
)
from app.models.statements.boards.digests import read_digests, read_rows_of_buckets, read_total_digest
from app.runtime import Runtime
from app.services.board_index import BoardIndex, BoardNotLoaded, IndexLoader
from app.services.board_index.layout import RETENTION
from app.services.board_index.rebuild import ROWS_PER_CHUNK, Rebuild, live_boards
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

REPAIR_LOOK_BACK = timedelta(seconds=30)
"""How far the repair of recent scores looks back: longer than any transaction takes."""

MIN_QUIET_TIME = timedelta(seconds=2)
"""How long a user must have had no transaction before the repair writes the user's rows again."""

MAX_ROUNDS = 5
"""Comparisons of a board; a bucket that differs in all of them does not differ because scores are being written."""

ROUND_INTERVAL = 0.5
"""Seconds between two comparisons of a board that differs."""

BUCKETS_PER_CHUNK = 64
"""Buckets whose rows are read by one statement: a sixteenth of the board."""


class Reconcile:
    """Repairs the board index. Rows are guarded by their revision, so that correct rows do not change."""

    def __init__(
        self,
        database: Database,
        index: BoardIndex,
        index_loader: IndexLoader,
        catalogue: CatalogueService,
        rebuild: Rebuild,
        runtime: Runtime,
    ) -> None:
        self.rows_corrected = 0
        """How many rows were put again because their buckets differed."""
        self.strays_removed = 0
        """How many users were removed from boards in Redis because PostgreSQL does not have them."""
        self.uncorrected = 0
        """How many boards were loaded again because they still differed after all corrections."""
        self._database = database
        self._index = index
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._rebuild = rebuild
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
        """Compare the open boards by their digests, and correct the buckets that differ.

        A bucket may differ because a score is just being written; writing its rows again does no harm. A board that
        still differs after `MAX_ROUNDS` comparisons is logged, and its category is loaded again.
        """
        for board in list(live_boards(self._catalogue, self._runtime.clock())):
            with suppress(BoardNotLoaded):
                await self._reconcile_board(board)

    async def _reconcile_board(self, board: Board) -> None:
        await self._correct_buckets(board)
        await self._correct_head(board)

    async def _correct_buckets(self, board: Board) -> None:
        suspicious: frozenset[int] | None = None
        for _ in range(MAX_ROUNDS):
            buckets = await self._differing_buckets(board)
            suspicious = buckets if suspicious is None else suspicious & buckets
            if not suspicious:
                return
            await self._correct(board, buckets)
            await asyncio.sleep(ROUND_INTERVAL)
        log.error("board_differs_from_postgresql", board=board.key, buckets=len(suspicious or ()))
        self.uncorrected += 1
        await self._rebuild.rebuild(self._catalogue.current.category(board.category), force=True)

    async def _differing_buckets(self, board: Board) -> frozenset[int]:
        """Return the buckets in which Redis and PostgreSQL differ. Raises BoardNotLoaded."""
        if not (await self._index_loader.examine(board.category, [board])).is_loaded:
            raise BoardNotLoaded(board.category)
        async with self._database.snapshot() as connection:
            # Both are read at the same time, so that they differ at most by what is just being written.
            expected_rows, expected = await read_total_digest(connection, board)
            rows, indexed = await self._index_loader.digests(board)
            if (rows, indexed.total) == (expected_rows, expected):
                return frozenset()
            return indexed.differing(await read_digests(connection, board))

    async def _correct_head(self, board: Board) -> None:
        """Put the first rows again, according to both stores: digests do not tell whether a score was altered."""
        leaders = await self._index_loader.leaders(board, TOP)
        async with self._database.connect() as connection:
            rows = await read_rows(connection, board, None, TOP) + await read_rows_of(connection, board, leaders)
        if rows:
            await self._index.put(rows)

    async def _correct(self, board: Board, buckets: frozenset[int]) -> None:
        """Put the rows of some buckets again, and remove from Redis users of them that PostgreSQL does not have."""
        differing = sorted(buckets)
        for first in range(0, len(differing), BUCKETS_PER_CHUNK):
            async with self._database.connect() as connection:
                chunk = differing[first : first + BUCKETS_PER_CHUNK]
                rows = await read_rows_of_buckets(connection, board, chunk)
            self.rows_corrected += len(rows)
            log.warning("board_rows_corrected", board=board.key, rows=len(rows), buckets=len(chunk))
            for start in range(0, len(rows), ROWS_PER_CHUNK):
                await self._index.put(rows[start : start + ROWS_PER_CHUNK])
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
                self.strays_removed += 1
                log.warning("stray_member_removed", board=board.key, user=str(user_id))
            await self._index_loader.remove_users(board, set(chunk) - existing)
