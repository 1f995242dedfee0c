"""The pause before the answer to a caller who goes on sending requests although all of them are refused."""

from __future__ import annotations

import asyncio

MAX_WAITING = 1000
"""How many answers of a process wait at a time. Beyond that they are sent at once, so that memory is bounded."""


class RefusalDelay:
    """Delays refusals that are certain before a request is looked at.

    A client that sends its next request when it has the answer to the last one can then send few of them, instead of
    as many as keep the processor busy.
    """

    def __init__(self, seconds: float, max_waiting: int = MAX_WAITING) -> None:
        """Create the delay.

        Args:
            seconds: How long each refusal waits; 0 for not at all.
            max_waiting: How many wait at a time.
        """
        self._seconds = seconds
        self._max_waiting = max_waiting
        self.waiting = 0
        """How many refusals wait at the moment."""

    async def wait(self) -> None:
        """Wait before a refusal."""
        if not self._seconds or self.waiting >= self._max_waiting:
            return
        self.waiting += 1
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.waiting -= 1
