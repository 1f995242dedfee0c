"""Anchors as a service: the ends of all chains are written down, now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from app.domain.ledger.anchors import Anchor, anchor_hash
from app.models.statements.ledger.anchors import add_anchor, last_anchor, read_heads
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

PAGE = 20_000
"""Users per anchor: few enough for one short transaction."""

LOOK_BACK = timedelta(minutes=10)
"""How far before the last anchor the next one looks: longer than any transaction takes, or any clock is wrong."""

NOBODY = UUID(int=0)


class Anchors:
    """Makes anchors. Repeating it is harmless: a head that is anchored already is not anchored again."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        # Anchors are numbered: two runs in this process would collide, and the one that loses would stop half-way.
        self._paging = asyncio.Lock()

    async def anchor(self) -> int:
        """Anchor the heads that moved since the last anchor, or all if there is none. Returns how many.

        Raises ServiceUnavailable.
        """
        async with self._database.connect() as connection:
            last = await last_anchor(connection)
        return await self._anchor(None if last is None else last.created_at - LOOK_BACK)

    async def anchor_everybody(self) -> int:
        """Anchor every head that is not anchored yet, however its transaction came to be there. Returns how many."""
        return await self._anchor(None)

    async def _anchor(self, since: datetime | None) -> int:
        after: UUID | None = NOBODY
        count = 0
        while after is not None:
            try:
                async with self._paging:
                    after, added = await self._page(after, since)
            except IntegrityError:
                return count  # Another process is at it.
            count += added
        return count

    async def _page(self, after: UUID, since: datetime | None) -> tuple[UUID | None, int]:
        async with self._database.begin() as connection:
            page = await read_heads(connection, after, since, PAGE)
            if not page.heads:
                return page.ends_at, 0
            last = await last_anchor(connection)
            number, previous_hash = (last.number + 1, last.hash) if last else (1, b"")
            now = self._clock()
            digest = anchor_hash(number, previous_hash, now, page.heads)
            await add_anchor(connection, Anchor(number, len(page.heads), previous_hash, digest, now), page.heads)
        log.info("ledger_anchored", number=number, heads=len(page.heads), hash=digest.hex())
        return page.ends_at, len(page.heads)
