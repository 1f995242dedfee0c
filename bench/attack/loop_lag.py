"""Measure event loop lag."""

from __future__ import annotations

import asyncio
import time

INTERVAL = 0.001
"""Seconds."""


class LoopLagMonitor:
    """Measures the longest iteration of the loop in processor time, which does not depend on other load."""

    def __init__(self) -> None:
        self.max_lag = 0.0
        """In seconds; about one millisecond too long, because everything since the last measurement counts."""

    async def watch(self) -> None:
        """Measure until cancelled."""
        before = time.thread_time()
        while True:
            await asyncio.sleep(INTERVAL)
            now = time.thread_time()
            self.max_lag = max(self.max_lag, now - before)
            before = now
