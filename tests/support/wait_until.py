"""Wait for conditions that no event announces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TIMEOUT = 30.0
"""Seconds after which a test stops waiting. Generous, because machines differ; it asserts nothing about speed."""


async def until(condition: Callable[[], bool], *, timeout: float = TIMEOUT) -> None:
    """Wait until `condition` is true.

    Raises:
        TimeoutError: It was not true within `timeout` seconds.
    """
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  conditions over other processes have no event
            await asyncio.sleep(0.01)
