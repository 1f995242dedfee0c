"""A bulkhead: expensive reads have connections and time of their own, so that they cannot take those of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import RateLimited
from app.stores.postgres import Database
from app.stores.replicas import Replicas

RETRY_AFTER = 1
"""Seconds after which a refused caller should try again."""


class Bulkhead:
    """Lends the connections of a small pool to expensive reads, and refuses callers at once when too many wait.

    The methods raise RateLimited if there are too many reads at the moment, and ServiceUnavailable if PostgreSQL
    cannot be used.

    Attributes:
        refused: How many callers have been refused.
    """

    def __init__(
        self, database: Database | Replicas, max_running: int, *, max_waiting: int, max_wait: float, refusal: str
    ) -> None:
        """Create a bulkhead that nobody uses.

        Args:
            database: The connections, which nobody else uses.
            max_running: How many reads may run at once.
            max_waiting: How many more may wait until one of them ends.
            max_wait: Seconds after which a waiting caller is refused.
            refusal: What refused callers are told.
        """
        self._database = database
        self._free = asyncio.Semaphore(max_running)
        self._max_waiting = max_waiting
        self._max_wait = max_wait
        self._refusal = refusal
        self._waiting = 0
        self.refused = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection, as `Database.connect` does."""
        await self._enter()
        try:
            async with self._database.connect() as connection:
                yield connection
        finally:
            self._free.release()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection, as `Database.snapshot` does."""
        await self._enter()
        try:
            async with self._database.snapshot() as connection:
                yield connection
        finally:
            self._free.release()

    async def _enter(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self._max_waiting:
            self._refuse()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._max_wait):
                await self._free.acquire()
        except TimeoutError:
            self._refuse()
        finally:
            self._waiting -= 1

    def _refuse(self) -> None:
        self.refused += 1
        raise RateLimited(RETRY_AFTER, self._refusal) from None
