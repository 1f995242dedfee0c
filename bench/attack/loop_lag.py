"""How long the turns of an event loop take."""

from __future__ import annotations

import asyncio
import time

PAUSE = 0.001


class Watchdog:
    """Measures the longest turn in processor time of the loop's thread: a busy machine is no fault of a request."""

    def __init__(self) -> None:
        self.longest = 0.0
        """In seconds, and about a millisecond too long: what ran since the last look counts as one turn."""

    async def watch(self) -> None:
        """Look until cancelled."""
        before = time.thread_time()
        while True:
            await asyncio.sleep(PAUSE)
            now = time.thread_time()
            self.longest = max(self.longest, now - before)
            before = now

    def forget(self) -> None:
        """Begin anew."""
        self.longest = 0.0
