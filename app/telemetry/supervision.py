"""Supervision: background work is seen to fail, and starts again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import structlog

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0


@dataclass(slots=True)
class Work:
    """How a piece of background work is doing."""

    name: str
    failures: int = 0
    running: bool = False


class Supervisor:
    """Keeps coroutines running that should never end, each for itself, with growing pauses between failures."""

    def __init__(self, random: Random) -> None:
        self.works: list[Work] = []
        self._random = random

    async def keep(self, name: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run `run` again whenever it ends or fails. Returns only by cancellation."""
        work = Work(name)
        self.works.append(work)
        pause = FIRST_PAUSE
        while True:
            started = asyncio.get_running_loop().time()
            work.running = True
            try:
                await run()
                log.error("background_work_ended", work=name)
            except Exception:
                log.exception("background_work_failed", work=name)
            finally:
                work.running = False
            work.failures += 1
            if asyncio.get_running_loop().time() - started > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause * (0.5 + self._random.random()))
            pause = min(pause * 2, LONGEST_PAUSE)
