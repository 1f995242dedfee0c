"""Rebuild: load categories into Redis from PostgreSQL while submissions continue."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime

import structlog

from app.domain.boards.board import Board
from app.domain.catalogue.catalogue import Category
from app.domain.errors import ServiceUnavailable
from app.domain.ids import uuid7
from app.domain.ledger.posting import boards_for
from app.models.statements.boards.board_rows import PackedRows, read_packed_rows
from app.models.statements.boards.copies import read_existing_transactions, read_origin
from app.runtime import Runtime
from app.services.board_index.index import BoardIndex, BoardNotLoaded
from app.services.board_index.layout import windows_in_index
from app.services.board_index.loader import IndexLoader
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database
from app.stores.redis_caller import RedisUnreachable
from app.telemetry.supervision import end

log = structlog.get_logger(__name__)

ROWS_PER_CHUNK = 1000
REBUILD_LOCK_SECONDS = 10
"""How long a rebuild is left to a process that does not renew the lock with every chunk, because it has ended."""

OTHER_POSTGRESQL = "other_postgresql"
LOST_TRANSACTIONS = "lost_transactions"
DIVERGED = (OTHER_POSTGRESQL, LOST_TRANSACTIONS)
"""The faults that a restored backup or a failover leaves: PostgreSQL may lack what Redis has.

A lower revision never replaces a higher one in Redis, so only an empty epoch can follow.
"""


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
        on_diverged: Callable[[], Awaitable[object]],
        runtime: Runtime,
    ) -> None:
        """Create a rebuild that has loaded nothing.

        Args:
            database: Where the rows come from.
            index: Takes the rows.
            index_loader: Begins and ends epochs.
            catalogue: The categories.
            on_rebuilt: Called after all boards of a category were loaded.
            on_diverged: Called before a category is loaded because PostgreSQL lacks what Redis has.
            runtime: The clock, and the randomness of epochs.
        """
        self.rebuilds: Counter[str] = Counter(dict.fromkeys(DIVERGED, 0))
        """How many categories this process has loaded, by the reason. An alert must see some of them begin at zero."""
        self._database = database
        self._index = index
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._on_rebuilt = on_rebuilt
        self._on_diverged = on_diverged
        self._runtime = runtime
        self._owner = runtime.random_bytes(16).hex()
        self._requested = asyncio.Event()
        self._rebuilding = asyncio.Lock()
        self._regressed_epochs: dict[str, str] = {}

    def request(self) -> None:
        """Examine all categories soon, because one was missing."""
        self._requested.set()

    def report_regression(self, category: str, epoch: str) -> None:
        """Rebuild a category soon, unless its epoch is over: the versions of its boards went back."""
        self._regressed_epochs[category] = epoch
        self.request()

    async def run(self, every: float = 5.0) -> None:
        """Keep every category loaded: examine all every `every` seconds, and at once after `request`."""
        while True:
            self._requested.clear()
            try:
                await self.ensure_loaded()
            except (BoardNotLoaded, RedisUnreachable, ServiceUnavailable) as error:
                log.warning("rebuild_postponed", reason=type(error).__name__)
                await asyncio.sleep(1)
            try:
                async with asyncio.timeout(every):
                    await self._requested.wait()
            except TimeoutError:
                continue

    async def ensure_loaded(self) -> None:
        """Rebuild the categories that Redis does not have whole, or has from another PostgreSQL than this."""
        async with self._database.connect() as connection:
            origin = await read_origin(connection)
        for category in list(self._catalogue.current.categories.values()):
            if await self._fault(category, origin):
                await self.rebuild(category)

    async def rebuild(
        self, category: Category, *, force: bool = False, progress: Callable[[int], object] | None = None
    ) -> int:
        """Load one category.

        Args:
            category: The category.
            force: Load the category even if it is loaded whole.
            progress: Called with the number of rows of each chunk.

        Returns:
            The number of rows; 0 if another process does it, or has just done it.
        """
        async with self._rebuilding:  # The lock in Redis is one per process.
            if not await self._index_loader.lock(category.id, self._owner, REBUILD_LOCK_SECONDS):
                return 0
            try:
                async with self._database.connect() as connection:
                    origin = await read_origin(connection)
                fault = "requested" if force else await self._fault(category, origin)
                rows = 0 if fault is None else await self._rebuild(category, fault, origin, progress)
            finally:
                await self._index_loader.unlock(category.id, self._owner)
        if fault is not None:
            self._on_rebuilt()
        return rows

    async def _rebuild(
        self, category: Category, fault: str, origin: str | None, progress: Callable[[int], object] | None
    ) -> int:
        if fault in DIVERGED:
            log.error("redis_is_ahead_of_postgresql", category=category.id, fault=fault)
            await self._on_diverged()
        now = self._runtime.clock()
        epoch = uuid7(now, self._runtime.random_bytes).hex
        await self._index_loader.begin(category.id, windows_in_index(category, now), epoch, origin or "", now)
        # The boards are loaded at the same time: while one waits for PostgreSQL, another writes to Redis.
        loads = [asyncio.create_task(self._load(board, epoch, progress)) for board in boards_for(category, now)]
        try:
            rows = sum(await asyncio.gather(*loads))
        finally:
            await end(loads)
        if not await self._index_loader.finish(category.id, epoch):
            raise BoardNotLoaded(category.id)
        self.rebuilds[fault] += 1
        log.info("rebuilt", category=category.id, fault=fault, rows=rows)
        return rows

    async def _fault(self, category: Category, origin: str | None) -> str | None:
        """Return why a category must be loaded; None if its copies can be trusted."""
        state = await self._index_loader.examine(category.id, boards_for(category, self._runtime.clock()))
        if state.fault is not None:
            return state.fault
        if state.epoch == self._regressed_epochs.get(category.id):
            return "regressed"
        if origin is not None and is_successor(origin, state.origin):
            return OTHER_POSTGRESQL
        async with self._database.connect() as connection:
            existing = await read_existing_transactions(connection, state.seen)
        return None if existing.issuperset(state.seen) else LOST_TRANSACTIONS

    async def _load(self, board: Board, epoch: str, progress: Callable[[int], object] | None) -> int:
        rows = 0
        chunk: PackedRows | None = None
        while True:
            async with self._database.connect() as connection:
                chunk = await read_packed_rows(connection, board, chunk, ROWS_PER_CHUNK)
            if chunk.count:
                await self._index.load(board, epoch, chunk.rows)
                rows += chunk.count
                if progress:
                    progress(chunk.count)
                await self._index_loader.lock(board.category, self._owner, REBUILD_LOCK_SECONDS)
            if chunk.count < ROWS_PER_CHUNK:
                return rows


def is_successor(origin: str, loaded_from: str) -> bool:
    """Whether copies that were loaded from one PostgreSQL must be loaded from `origin` instead.

    A lower timeline of the same cluster is that of a former primary, which some instances may still be connected to
    after a failover: they must not undo what the others have loaded.
    """
    identifier, _, timeline = origin.partition("/")
    other_identifier, _, other_timeline = loaded_from.partition("/")
    return identifier != other_identifier or int(timeline, 16) > int(other_timeline, 16)


def live_boards(catalogue: CatalogueService, now: datetime) -> Iterator[Board]:
    """Yield every board that is open at `now`."""
    for category in catalogue.current.categories.values():
        yield from boards_for(category, now)
