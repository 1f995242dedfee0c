"""Waiting for what announces itself in no other way than by being looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TIMEOUT = 30.0
"""Seconds after which what a test waits for is taken for lost. Machines differ: it says nothing about speed."""


async def until(condition: Callable[[], bool], *, timeout: float = TIMEOUT) -> None:
    """Returns once `condition` holds. Raises TimeoutError after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  conditions over other processes have no event
            await asyncio.sleep(0.01)
