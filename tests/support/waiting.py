"""Waiting for what announces itself in no other way than by being looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], *, timeout: float = 10) -> None:
    """Returns once `condition` holds. Raises TimeoutError after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  conditions over other processes have no event
            await asyncio.sleep(0.01)
