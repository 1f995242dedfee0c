"""Rebuild: load categories into Redis from PostgreSQL while submissions continue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

import structlog

from app.domain.boards.board import Board
from app.domain.catalogue.catalogue import Category
from app.domain.errors import ServiceUnavailable
from app.domain.ids import uuid7
from app.domain.ledger.posting import ScoreChange, boards_for
from app.models.statements.boards.board_rows import read_rows
from app.runtime import Runtime
from app.services.board_index import BoardIndex, IndexLoader, RedisUnreachable
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

ROWS_PER_CHUNK = 1000
REBUILD_LOCK_SECONDS = 30


class Rebuild:
    """Loads categories into Redis.

    A rebuild begins an empty epoch, which accepts puts but no reads; it loads all rows, guarded by their revision; then
    it marks the epoch as ready. A score that is committed meanwhile is among the rows that are read, or is put by its
    writer, so that none is lost in either order.
    """

    def __init__(
        self,
        database: Database,
        index: BoardIndex,
        index_loader: IndexLoader,
        catalogue: CatalogueService,
        on_rebuilt: Callable[[], object],
        runtime: Runtime,
    ) -> None:
        """`on_rebuilt` is called after all boards of a category were loaded."""
        self._database = database
        self._index = index
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._on_rebuilt = on_rebuilt
        self._runtime = runtime
        self._owner = runtime.random_bytes(16).hex()
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Examine all categories soon, because one was missing."""
        self._requested.set()

    async def run(self, every: float = 5.0) -> None:
        """Keep every category loaded: examine all every `every` seconds, and at once after `request`."""
        while True:
            self._requested.clear()
            try:
                await self.ensure_loaded()
            except (RedisUnreachable, ServiceUnavailable) as error:
                log.warning("rebuild_postponed", reason=type(error).__name__)
                await asyncio.sleep(1)
            try:
                async with asyncio.timeout(every):
                    await self._requested.wait()
            except TimeoutError:
                continue

    async def ensure_loaded(self) -> None:
        """Rebuild the categories that Redis does not have, or restored from an old snapshot."""
        run_id = await self._index_loader.run_id()
        for category in list(self._catalogue.current.categories.values()):
            if not await self._index_loader.is_complete(category.id, run_id):
                await self.rebuild(category)

    async def rebuild(
        self, category: Category, *, force: bool = False, progress: Callable[[int], object] | None = None
    ) -> int:
        """Load one category.

        Args:
            category: The category.
            force: Load the category even if it is loaded.
            progress: Called with the number of rows of each chunk.

        Returns:
            The number of rows; 0 if another process does it, or has just done it.
        """
        if not await self._index_loader.lock(category.id, self._owner, REBUILD_LOCK_SECONDS):
            return 0
        try:
            run_id = await self._index_loader.run_id()
            if not force and await self._index_loader.is_complete(category.id, run_id):
                return 0
            now = self._runtime.clock()
            boards = boards_for(category, now)
            await self._index_loader.begin(category.id, boards, uuid7(now, self._runtime.random_bytes).hex)
            rows = 0
            for board in boards:
                rows += await self._load(board, progress)
            await self._index_loader.finish(category.id, run_id)
        finally:
            await self._index_loader.unlock(category.id)
        log.info("rebuilt", category=category.id, rows=rows)
        self._on_rebuilt()
        return rows

    async def _load(self, board: Board, progress: Callable[[int], object] | None) -> int:
        rows = 0
        after: ScoreChange | None = None
        while True:
            async with self._database.connect() as connection:
                chunk = await read_rows(connection, board, after, ROWS_PER_CHUNK)
            if chunk:
                await self._index.load(chunk)
                rows, after = rows + len(chunk), chunk[-1]
                if progress:
                    progress(len(chunk))
                await self._index_loader.lock(board.category, self._owner, REBUILD_LOCK_SECONDS)
            if len(chunk) < ROWS_PER_CHUNK:
                return rows


def live_boards(catalogue: CatalogueService, now: datetime) -> Iterator[Board]:
    """Yield every board that is open at `now`."""
    for category in catalogue.current.categories.values():
        yield from boards_for(category, now)
