"""Supervision of background work: failures are logged, and failed work is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

import structlog

from app.runtime import Runtime

log = structlog.get_logger(__name__)

MIN_PAUSE = 0.1
MAX_PAUSE = 10.0
"""Seconds between a failure and the next start."""
CANCEL_INTERVAL = 0.5
"""Seconds until a task that was cancelled and still runs is cancelled again."""


@dataclass(slots=True)
class Work:
    """The state of one piece of background work."""

    name: str
    failures: int = 0
    running: bool = False


class Supervisor:
    """Runs coroutines that should never end, independently of each other, and starts them again with growing pauses."""

    def __init__(self, runtime: Runtime) -> None:
        self.works: list[Work] = []
        self._random = runtime.random

    async def keep(self, name: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run `run`, and run it again whenever it ends or fails, until cancelled."""
        work = Work(name)
        self.works.append(work)
        pause = MIN_PAUSE
        logged: str | None = None
        while True:
            started = asyncio.get_running_loop().time()
            work.running = True
            try:
                await run()
                log.error("background_work_ended", work=name)
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled():
                    raise
                # Log the traceback of a cause once: work that starts again usually fails in the same way.
                cause = repr(error)
                log.error("background_work_failed", work=name, cause=cause, exc_info=cause != logged)
                logged = cause
            finally:
                work.running = False
            work.failures += 1
            if asyncio.get_running_loop().time() - started > MAX_PAUSE:
                pause = MIN_PAUSE
            await asyncio.sleep(pause * (0.5 + self._random.random()))
            pause = min(pause * 2, MAX_PAUSE)


def is_cancelled() -> bool:
    """Return whether the current task was cancelled; a CancelledError can also come from an awaited future."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` and wait until all have ended.

    They are cancelled more than once: before Python 3.12 `asyncio.wait_for`, which the Redis client uses, may swallow a
    cancellation.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_INTERVAL)
