"""Jobs: work that one instance does for all, whichever holds the lock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.domain.errors import ServiceUnavailable
from app.services.standings import Unreachable

log = structlog.get_logger(__name__)

LOCK = 7_220_310_456
TAKE = text("SELECT pg_try_advisory_lock(:lock)")
TICK = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every `interval` seconds. It must stand being done twice."""

    name: str
    interval: float
    work: Callable[[], Awaitable[object]]


class Jobs:
    """Runs jobs while this instance holds a PostgreSQL advisory lock; the lock falls with the connection."""

    def __init__(self, engine: AsyncEngine, jobs: Sequence[Job], monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self._jobs = jobs
        self._monotonic = monotonic
        self._due = {job.name: monotonic() + job.interval for job in jobs}
        self.is_leader = False
        self.failures = 0

    async def run(self) -> None:
        """Compete for the lock, and work while holding it. Never returns."""
        while True:
            try:
                async with self._engine.connect() as connection:
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    if await self._take(connection):
                        await self._lead(connection)
            except (SQLAlchemyError, OSError, TimeoutError):
                log.info("jobs_lost_the_lock")
            finally:
                self.is_leader = False
            await asyncio.sleep(5 * TICK)

    @property
    def all(self) -> Sequence[Job]:
        """Every job there is."""
        return self._jobs

    async def run_one(self, name: str) -> None:
        """Do one job now, lock or no lock. Raises KeyError for an unknown name."""
        await {job.name: job for job in self._jobs}[name].work()

    async def _take(self, connection: AsyncConnection) -> bool:
        return bool((await connection.execute(TAKE, {"lock": LOCK})).scalar_one())

    async def _lead(self, connection: AsyncConnection) -> None:
        self.is_leader = True
        while True:
            await connection.execute(text("SELECT 1"))  # Notices a lost connection, and so a lost lock.
            for job in self._jobs:
                if self._monotonic() >= self._due[job.name]:
                    await self._do(job)
            await asyncio.sleep(TICK)

    async def _do(self, job: Job) -> None:
        try:
            await job.work()
        except (Unreachable, ServiceUnavailable) as error:
            self.failures += 1
            log.warning("job_postponed", job=job.name, reason=type(error).__name__)
        except Exception:
            self.failures += 1
            log.exception("job_failed", job=job.name)
        self._due[job.name] = self._monotonic() + job.interval
