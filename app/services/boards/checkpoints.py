"""Checkpoints: store what all-time boards were like after every few thousand transactions."""

from __future__ import annotations

from datetime import timedelta

import structlog

from app.models.statements.boards.past_boards import (
    BEGINNING,
    ChunkLimits,
    End,
    count_transactions,
    delete_unused_chunks,
    discard_checkpoints,
    find_next_end,
    lock_checkpoints,
    read_ends,
    read_last_end,
    store_checkpoint,
    store_hidden_users,
)
from app.runtime import Runtime
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

STEP = 1000
"""Transactions between two checkpoints, which is also the maximum that a read of the past adds to a checkpoint."""

CHUNK_LIMITS = ChunkLimits(size=750, max_moves=1000)
"""The sizes of chunks. A read needs one to three of them."""

DELAY = timedelta(seconds=30)
"""The age from which on transactions are part of a checkpoint: those that began before are committed or aborted."""

RECENT = timedelta(hours=1)
"""Checkpoints of this age are compared with the ledger in every run, for transactions that were committed late."""

MAX_PER_RUN = 1000
"""The maximum of new checkpoints per category and run of the job: the next runs store the rest."""

MAX_COMPARED = 50
"""The maximum of older checkpoints that a run compares with the ledger; the next one continues behind them."""

MAX_DELETED_CHUNKS = 500
"""The maximum of unused chunks that a run deletes."""

MAX_HIDDEN_USERS = 1000
"""The maximum of users, hidden since the last run, whose scores a transaction stores."""


class Checkpoints:
    """Stores checkpoints, the oldest first, each in a transaction of its own with a bounded number of rows.

    Until the job has reached an instant, the board as it was then is computed from the last checkpoint before it,
    or from the whole ledger: the result is the same, and only the costs differ.
    """

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueService,
        runtime: Runtime,
        step: int = STEP,
        limits: ChunkLimits = CHUNK_LIMITS,
    ) -> None:
        """Create the job.

        Args:
            database: The primary.
            catalogue: The categories.
            runtime: The source of time.
            step: Transactions between two checkpoints.
            limits: The sizes of chunks.
        """
        self._database = database
        self._catalogue = catalogue
        self._clock = runtime.clock
        self._step = step
        self._limits = limits
        self._compared: dict[str, End] = {}

    async def __call__(self) -> int:
        """Compare some checkpoints with the ledger, then store the ones that are due; return how many were stored.

        Raises ServiceUnavailable.
        """
        stored = 0
        for category in self._catalogue.current.categories:
            await self._compare(category)
            while await self._store_hidden_users(category) == MAX_HIDDEN_USERS:
                pass
            for _ in range(MAX_PER_RUN):
                if not await self._store_next(category):
                    break
                stored += 1
        return stored

    async def _store_next(self, category: str) -> bool:
        """Store the next checkpoint of a category; return False if none is due."""
        async with self._database.begin() as connection:
            await lock_checkpoints(connection, category)
            last = await read_last_end(connection, category)
            end = await find_next_end(connection, category, last, self._step, self._clock() - DELAY)
            if end is None:
                return False
            await store_checkpoint(connection, category, last, end, self._limits)
        return True

    async def _store_hidden_users(self, category: str) -> int:
        """Store the scores of users who were hidden since the last run; return of how many."""
        async with self._database.begin() as connection:
            await lock_checkpoints(connection, category)
            last = await read_last_end(connection, category)
            return await store_hidden_users(connection, category, last, MAX_HIDDEN_USERS)

    async def _compare(self, category: str) -> None:
        """Discard the checkpoints from the first one on that lacks transactions, and delete chunks that are unused."""
        after = self._compared.get(category, BEGINNING)
        last = await self._compare_after(category, after, MAX_COMPARED)
        self._compared[category] = BEGINNING if last is None else last
        async with self._database.connect() as connection:
            await delete_unused_chunks(connection, category, MAX_DELETED_CHUNKS)
            recent: End | None = await read_last_end(connection, category, self._clock() - RECENT)
        while recent is not None:
            recent = await self._compare_after(category, recent, MAX_COMPARED)

    async def _compare_after(self, category: str, after: End, limit: int) -> End | None:
        """Compare up to `limit` checkpoints that follow the one at `after`; return the last, None after the newest."""
        async with self._database.connect() as connection:
            ends = await read_ends(connection, category, after, limit)
            for end, transactions in ends:
                if await count_transactions(connection, category, after, end) != transactions:
                    break
                after = end
            else:
                return after if len(ends) == limit else None
        async with self._database.begin() as connection:
            await lock_checkpoints(connection, category)
            await discard_checkpoints(connection, category, after)
        log.warning("checkpoints_discarded", category=category, after=after.at)
        return None
