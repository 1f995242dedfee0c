"""The thinning of anchors: of the heads of one user, fewer are kept the older they are.

All heads are kept for a day; then the last of each hour, after 30 days the last of each day, and after a year the last
of each month. The chain of the anchors stays complete: an anchor that was thinned keeps its hash, by which the next one
continues it, and a second hash covers the heads that are kept. That one is written to the log, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.domain.ledger.anchors import Anchor, anchor_hash
from app.models.statements.ledger.anchors import delete_replaced_heads, read_anchors_to_thin, record_thinning
from app.models.statements.ledger.partitions import Month
from app.runtime import Runtime
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MAX_ANCHORS = 500
"""Anchors that a run thins to each level; the next run continues."""


@dataclass(frozen=True, slots=True)
class ThinningLevel:
    """How anchors of an age are thinned.

    Attributes:
        level: The number in the table.
        age: The age of the anchors.
        end_of_span: Returns the end of the span, of which the last head of each user is kept.
    """

    level: int
    age: timedelta
    end_of_span: Callable[[datetime], datetime]


def _end_of_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _end_of_day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


LEVELS = (
    ThinningLevel(1, timedelta(days=1), _end_of_hour),
    ThinningLevel(2, timedelta(days=30), _end_of_day),
    ThinningLevel(3, timedelta(days=365), lambda moment: Month.of(moment).end),
)


class ThinAnchors:
    """Thins old anchors. Repeating is harmless, also on several instances at once."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self._database = database
        self._clock = runtime.clock

    async def __call__(self) -> int:
        """Delete the heads of old anchors that later ones replace, and return how many.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used. What was thinned before stays thinned.
        """
        deleted = 0
        for level in LEVELS:
            before = self._clock() - level.age
            async with self._database.connect() as connection:
                anchors = await read_anchors_to_thin(connection, level.level - 1, before, MAX_ANCHORS)
            for anchor in anchors:
                if level.end_of_span(anchor.created_at) <= before:
                    deleted += await self._thin(anchor, level)
        return deleted

    async def _thin(self, anchor: Anchor, level: ThinningLevel) -> int:
        async with self._database.begin() as connection:
            deleted, kept = await delete_replaced_heads(connection, anchor.number, level.end_of_span(anchor.created_at))
            kept_hash = anchor_hash(anchor.number, anchor.previous_hash, anchor.created_at, kept)
            await record_thinning(connection, anchor.number, level.level, kept_hash)
        log.info("anchor_thinned", number=anchor.number, deleted=deleted, kept_hash=kept_hash.hex())
        return deleted
