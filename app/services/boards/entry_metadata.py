"""Entry metadata: what a game has attached to the transactions that set the scores of entries."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.errors import ServiceUnavailable
from app.domain.ledger.metadata import MetadataKey
from app.models.statements.boards.entry_metadata import read_metadata
from app.services.catalogue.cache import CatalogueService
from app.stores.batching import Batcher
from app.stores.postgres import Database

MAX_CACHED_USERS = 5_000
"""Users whose metadata is cached; those used least recently are evicted."""

MAX_CACHED_PER_USER = 8
"""Cached entries of one user."""


class EntryMetadata:
    """Reads the metadata of entries, all that are asked for at a time with one SELECT, and caches it.

    An entry's metadata does not change, unless a moderator removes it or the user is hidden or deleted: processes
    notify each other of that, and a process that receives no notices caches nothing.
    """

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueService,
        has_notices: Callable[[], bool],
        *,
        max_batch_size: int = 500,
    ) -> None:
        """Create the reader with an empty cache.

        Args:
            database: Where metadata is read.
            catalogue: Says which categories show metadata.
            has_notices: Returns whether this process receives the notices of others.
            max_batch_size: How many entries one SELECT may read.
        """
        self._database = database
        self._catalogue = catalogue
        self._has_notices = has_notices
        self._cached: OrderedDict[UUID, dict[MetadataKey, Any]] = OrderedDict()
        self._invalidations = 0
        self.hits = 0
        self.misses = 0
        self._queue: Batcher[MetadataKey, Any] = Batcher(
            self._read, max_batch_size=max_batch_size, max_concurrent=2, key=None
        )

    async def get(self, board: Board, user_id: UUID, reached_at: datetime) -> Any:
        """Return the metadata of an entry as JSON values; None if there is none, or if PostgreSQL cannot be read."""
        category = self._catalogue.current.categories.get(board.category)
        if category is None or not category.entry_metadata:
            return None
        key = MetadataKey(user_id, board.category, board.window.period, reached_at)
        cached = self._cached.get(user_id, {}) if self._has_notices() else {}
        if key in cached:
            self.hits += 1
            self._cached.move_to_end(user_id)
            return cached[key]
        self.misses += 1
        try:
            return await self._queue.submit(key)
        except ServiceUnavailable:  # A board that is read from a copy must not fail because of its metadata.
            return None

    def invalidate(self, user_id: UUID) -> None:
        """Read the metadata of a user again."""
        self._invalidations += 1
        self._cached.pop(user_id, None)

    def invalidate_all(self) -> None:
        """Read all metadata again."""
        self._invalidations += 1
        self._cached.clear()

    async def _read(self, keys: Sequence[MetadataKey]) -> Sequence[Any]:
        invalidations = self._invalidations
        async with self._database.driver() as connection:
            texts = await read_metadata(connection, keys)
        values = [None if text is None else json.loads(text) for text in texts]
        if invalidations == self._invalidations and self._has_notices():
            for key, value in zip(keys, values, strict=True):
                self._store(key, value)
        return values

    def _store(self, key: MetadataKey, value: Any) -> None:
        entries = self._cached.setdefault(key.user_id, {})
        if len(entries) >= MAX_CACHED_PER_USER:
            entries.clear()
        entries[key] = value
        self._cached.move_to_end(key.user_id)
        if len(self._cached) > MAX_CACHED_USERS:
            self._cached.popitem(last=False)
