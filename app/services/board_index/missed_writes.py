"""Missed writes: what was committed and could not be written to Redis, as all instances know it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import structlog

from app.domain.errors import ServiceUnavailable
from app.models.statements.boards.copies import (
    MissedWriteRow,
    delete_abandoned,
    delete_missed_writes,
    read_missed_writes,
    renew_missed_writes,
)
from app.services.board_index.index import BoardIndex
from app.stores.postgres import Database
from app.stores.redis_caller import RedisUnreachable

log = structlog.get_logger(__name__)

REFRESH_INTERVAL = 1.0
"""Seconds after which an instance knows what another one has missed."""

REPAIR_INTERVAL = 1.0
"""Seconds between two attempts to repair."""

PROBE = "probe"
"""Stands for a category in the name of the key that is written while nothing was missed and Redis refuses writes."""

RECORD_TIMEOUT = 2.0
"""Seconds that a receipt waits until the first missed write of a category is recorded."""


class MissedWrites:
    """The categories whose copies in Redis lack something that was committed, and their repair.

    From the first missed write of a category until its repair no instance reads it from Redis. The instance that
    missed it cannot tell the others through Redis, so it records it in PostgreSQL, which has just committed the write,
    and the receipt waits for that: a crash afterwards forgets nothing.
    """

    def __init__(
        self, database: Database, index: BoardIndex, instance_id: UUID, on_change: Callable[[], object]
    ) -> None:
        """Begin without missed writes; `refresh` reads those of other instances.

        Args:
            database: Where missed writes are recorded.
            index: The copies.
            instance_id: Identifies this process.
            on_change: Called when a category becomes incomplete, or complete again.
        """
        self._database = database
        self._index = index
        self._instance_id = instance_id
        self._on_change = on_change
        self._own: dict[str, datetime] = {}
        self._latest: dict[str, object] = {}
        """An object for the last missed write of each category: a write that is missed during a repair is not in it."""
        self._recorded: set[str] = set()
        self._recording = asyncio.Lock()
        """Held while the rows of this instance change."""
        self._others: Sequence[MissedWriteRow] = ()
        self._in_doubt: tuple[datetime, object] | None = None
        """The time of the first commit without an answer since the last repair, and an object for the last one."""

    @property
    def incomplete(self) -> frozenset[str]:
        """The categories that must not be read from Redis."""
        return frozenset(self._own) | {row.category_id for row in self._others}

    def is_complete(self, category: str) -> bool:
        """Whether nothing that was committed is known to be missing in the category's copies."""
        return category not in self._own and all(row.category_id != category for row in self._others)

    async def record(self, category: str, since: datetime) -> None:
        """Take note of a write that Redis missed, here at once, and for all others before this returns.

        If PostgreSQL does not answer, it is recorded later.
        """
        is_new = self.is_complete(category)
        self._own[category] = min(since, self._own.get(category, since))
        self._latest[category] = object()
        if is_new:
            log.warning("copies_incomplete", category=category)
            self._on_change()
        with suppress(ServiceUnavailable, TimeoutError):
            async with asyncio.timeout(RECORD_TIMEOUT), self._recording:
                if category not in self._recorded:
                    await self._renew()

    def record_unanswered(self, since: datetime) -> None:
        """Take note of a commit that may have happened: it is repaired as soon as PostgreSQL answers.

        Until then the boards are read from Redis all the same, because nobody was told that anything is committed.
        """
        first = since if self._in_doubt is None else min(since, self._in_doubt[0])
        self._in_doubt = (first, object())

    async def refresh(self) -> None:
        """Renew what this instance has missed, and read what others have. Raises ServiceUnavailable."""
        if self._own:
            async with self._recording:
                await self._renew()
        async with self._database.connect() as connection:
            rows = await read_missed_writes(connection)
        before = self.incomplete
        self._others = [row for row in rows if row.instance_id != self._instance_id]
        if self.incomplete != before:
            self._on_change()

    async def repair(self, repair_since: Callable[[datetime], Awaitable[object]]) -> None:
        """Call `repair_since` with the time of the first missed or unanswered write, if Redis accepts writes.

        What instances have left that no longer run is repaired as well.

        Raises:
            Exception: What `repair_since` raises; the repair is due again then.
        """
        if self._index.refuses_writes:
            await self._index.probe(PROBE)
        latest, abandoned = dict(self._latest), [row for row in self._others if row.abandoned]
        in_doubt = self._in_doubt
        times = [*self._own.values(), *(row.missed_since for row in abandoned), *(in_doubt or ())[:1]]
        if not times:
            return
        adopted = {row.category_id for row in abandoned}
        for category in {*latest, *adopted}:
            await self._index.probe(category)
        await repair_since(min(times))
        if self._in_doubt is in_doubt:
            self._in_doubt = None
        if not latest and not abandoned:
            return
        async with self._recording:
            repaired = [category for category, one in latest.items() if self._latest[category] is one]
            self._recorded.difference_update(repaired)
            async with self._database.connect() as connection:
                await delete_missed_writes(connection, self._instance_id, repaired)
                for row in abandoned:
                    await delete_abandoned(connection, row)
            for category in repaired:
                if self._latest[category] is latest[category]:
                    del self._own[category], self._latest[category]
        await self.refresh()  # An instance that was taken for dead may have renewed its rows.
        log.info("copies_repaired", categories=sorted({*repaired, *adopted} - self.incomplete))
        self._on_change()

    async def run_refresh(self) -> None:
        """Refresh until cancelled."""
        while True:
            with suppress(ServiceUnavailable):
                await self.refresh()
            await asyncio.sleep(REFRESH_INTERVAL)

    async def run_repair(self, repair_since: Callable[[datetime], Awaitable[object]]) -> None:
        """Repair until cancelled; an attempt that a store does not answer is repeated."""
        while True:
            await asyncio.sleep(REPAIR_INTERVAL)
            with suppress(RedisUnreachable, ServiceUnavailable):
                await self.repair(repair_since)

    async def _renew(self) -> None:
        missed = dict(self._own)
        async with self._database.connect() as connection:
            await renew_missed_writes(connection, self._instance_id, missed)
        self._recorded.update(category for category in missed if category in self._own)
