"""Wait for conditions that no event announces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 60.0
"""Seconds after which a test stops waiting. Generous, because machines differ; it asserts nothing about speed."""


async def until(condition: Callable[[], bool], *, timeout: float = TIMEOUT) -> None:
    """Wait until `condition` is true.

    Raises:
        TimeoutError: It was not true within `timeout` seconds.
    """
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  conditions over other processes have no event
            await asyncio.sleep(0.01)


async def until_answer(
    ask: Callable[[], Awaitable[T]],
    condition: Callable[[T], bool],
    *,
    timeout: float = TIMEOUT,
    interval: float = 0.01,
) -> T:
    """Ask a store or a server again and again until its answer meets `condition`, and return that answer.

    Raises:
        TimeoutError: No answer met it within `timeout` seconds.
    """
    async with asyncio.timeout(timeout):
        while not condition(answer := await ask()):  # noqa: ASYNC110  the state of another process has no event
            await asyncio.sleep(interval)
    return answer
