"""Cancellation of loops whose calls may swallow it."""

from __future__ import annotations

import asyncio


def obey_cancellation() -> None:
    """Raise CancelledError if the current task was cancelled; for loops around calls that may swallow it.

    Before Python 3.12 `asyncio.wait_for`, with which the Redis client sends, drops a cancellation that arrives at the
    same moment as the result.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
