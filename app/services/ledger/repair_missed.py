"""The loop that repairs the updates of the board index which this process missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from app.domain.errors import ServiceUnavailable
from app.services.board_index import RedisUnreachable
from app.services.ledger.after_commit import AfterCommit

REPAIR_INTERVAL = 1.0
"""Seconds between two attempts."""


class RepairMissed:
    """Repairs missed after-commit updates. Only the process that missed them knows of them."""

    def __init__(self, after_commit: AfterCommit, repair_since: Callable[[datetime], Awaitable[object]]) -> None:
        """Initialise the loop; `repair_since` writes what was committed since a time to the board index again."""
        self._after_commit = after_commit
        self._repair_since = repair_since

    async def run(self) -> None:
        """Repair until cancelled; an attempt that a store does not answer is repeated."""
        while True:
            await asyncio.sleep(REPAIR_INTERVAL)
            with suppress(RedisUnreachable, ServiceUnavailable):
                await self._after_commit.repair(self._repair_since)
