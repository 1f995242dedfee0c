"""The anchor job: the heads of all chains are anchored at intervals."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from app.domain.events.facts import ledger_anchored
from app.domain.ledger.anchors import Anchor, anchor_hash
from app.models.statements.ledger.anchors import add_anchor, last_anchor, read_heads
from app.runtime import Runtime
from app.services.outbox.recorder import EventRecorder
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MAX_HEADS_PER_ANCHOR = 20_000
"""Heads per anchor: few enough for one short transaction."""

MAX_TRANSACTION_AGE = timedelta(minutes=10)
"""How long before the last anchor a transaction may have begun that commits after it, clock differences included."""

FIRST_USER_ID = UUID(int=0)


class Anchors:
    """Adds anchors. Repeating is harmless: a head that is anchored already is not anchored again."""

    def __init__(self, database: Database, events: EventRecorder, runtime: Runtime) -> None:
        self._database = database
        self._events = events
        self._runtime = runtime
        # Anchors are numbered: of two concurrent runs in this process one would stop half-way.
        self._lock = asyncio.Lock()

    async def anchor(self) -> int:
        """Anchor the heads that moved since the last anchor, or all if there is none, and return how many.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        async with self._database.connect() as connection:
            last = await last_anchor(connection)
        return await self._anchor(None if last is None else last.created_at - MAX_TRANSACTION_AGE)

    async def anchor_all(self) -> int:
        """Anchor every head that is not anchored yet, also of imported transactions, and return how many."""
        return await self._anchor(None)

    async def _anchor(self, since: datetime | None) -> int:
        after: UUID | None = FIRST_USER_ID
        count = 0
        while after is not None:
            try:
                async with self._lock:
                    after, added = await self._anchor_page(after, since)
            except IntegrityError:
                return count  # Another process has added this anchor.
            count += added
        return count

    async def _anchor_page(self, after: UUID, since: datetime | None) -> tuple[UUID | None, int]:
        async with self._database.begin() as connection:
            page = await read_heads(connection, after, since, MAX_HEADS_PER_ANCHOR)
            if not page.heads:
                return page.ends_at, 0
            last = await last_anchor(connection)
            number, previous_hash = (last.number + 1, last.hash) if last else (1, b"")
            now = self._runtime.clock()
            digest = anchor_hash(number, previous_hash, now, page.heads)
            anchor = Anchor(number, len(page.heads), previous_hash, digest, now)
            await add_anchor(connection, anchor, page.heads)
            await self._events.record(connection, [ledger_anchored(anchor)])
        log.info("ledger_anchored", number=number, heads=len(page.heads), hash=digest.hex())
        return page.ends_at, len(page.heads)
