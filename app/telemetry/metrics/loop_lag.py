"""The lag of the event loop: how late it runs what is due."""

from __future__ import annotations

import asyncio

from app.telemetry.metrics.histogram import Histogram

INTERVAL = 0.1
"""Seconds between two measurements."""

LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class EventLoopLag:
    """Measures the lag of the running event loop: everything that a process does waits at least that long."""

    def __init__(self) -> None:
        self.seconds = Histogram(LAG_SECONDS)

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL
            await asyncio.sleep(INTERVAL)
            self.seconds.observe(max(0.0, loop.time() - due))
