"""The catalogue of this process: read from PostgreSQL, kept in memory, and read again after changes."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import Catalogue
from app.models.statements.catalogue.read_catalogue import read_catalogue
from app.stores.postgres import Database


class CatalogueService:
    """Caches the catalogue.

    Attributes:
        current: The catalogue as of the last successful `refresh`; empty before the first.
        outdated: Set when a change was notified; awaited by the task that refreshes the catalogue.
    """

    def __init__(self, database: Database, default_cap: int) -> None:
        """Create an empty cache.

        Args:
            database: The database of the catalogue.
            default_cap: The score cap of categories without one of their own.
        """
        self._database = database
        self._default_cap = default_cap
        self.current = Catalogue((), ())
        self._refresh_lock = asyncio.Lock()
        self.outdated = asyncio.Event()

    async def refresh(self) -> Catalogue:
        """Read the catalogue again. If PostgreSQL does not answer, keep the old one and raise ServiceUnavailable."""
        async with self._refresh_lock:  # One at a time, so that an older catalogue never replaces a newer one.
            self.outdated.clear()
            try:
                async with self._database.connect() as connection:
                    self.current = await self.read(connection)
            except BaseException:
                self.outdated.set()
                raise
        return self.current

    def shard_count(self, category_id: str) -> int:
        """Return the number of shards of a category in Redis: 1 for one that is not split, or not known."""
        category = self.current.categories.get(category_id)
        return 1 if category is None else category.shards

    async def read(self, connection: AsyncConnection) -> Catalogue:
        """Return the catalogue as the transaction of `connection` sees it."""
        return await read_catalogue(connection, self._default_cap)
