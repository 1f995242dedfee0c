"""Instances that compete to run jobs of a test, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import make_url

from app.services.jobs import Job, Jobs
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.lease import Lease, LeaseTimes
from app.stores.postgres import POSTGRES_FAILURES, Database, open_engine
from app.telemetry.supervision import end
from tests.support.runtime import runtime_for

QUICK = LeaseTimes(duration=4.0, renew_interval=0.2, margin=1.0)
"""A new leader waits for at most four seconds; a busy machine has three to answer."""


@asynccontextmanager
async def database_at(url: str, *, timeout: float = 5.0) -> AsyncIterator[Database]:
    """A database with a pool of its own."""
    engine = open_engine(url, max_connections=4, timeout=timeout, name="test")
    try:
        yield Database(engine, CircuitBreaker("postgres", POSTGRES_FAILURES, runtime_for()))
    finally:
        await engine.dispose()


def lease_at(database: Database, times: LeaseTimes = QUICK) -> Lease:
    """The lease for which the instances of a test compete."""
    return Lease(database, "test", runtime_for(), times)


@asynccontextmanager
async def competing(
    database: Database, *jobs: Job, times: LeaseTimes = QUICK, compete_interval: float = 0.5
) -> AsyncIterator[Jobs]:
    """Jobs that compete for the lease until the end of the block."""
    made = Jobs(lease_at(database, times), jobs, runtime_for(), compete_interval)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        await end([task])


@asynccontextmanager
async def instance(url: str, *jobs: Job, compete_interval: float = 0.5) -> AsyncIterator[Jobs]:
    """An instance of its own that competes for the lease until the end of the block."""
    async with database_at(url) as database, competing(database, *jobs, compete_interval=compete_interval) as made:
        yield made


class Work:
    """The work of a job. A test awaits its runs; every run is written down in `events` when it begins and ends."""

    def __init__(
        self, name: str, events: list[str] | None = None, *, outcome: Callable[[], BaseException | None] = lambda: None
    ) -> None:
        self.name = name
        self.events = [] if events is None else events
        self.begun = 0
        self.concurrent = 0
        self.max_concurrent = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._outcome = outcome
        self._changed = asyncio.Condition()

    def job(self, *, interval: float = 0.01, timeout: float = 60) -> Job:
        """A job that does this work."""
        return Job(self.name, interval, timeout, self)

    async def __call__(self) -> None:
        self.events.append(f"{self.name} begins")
        self.begun += 1
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        async with self._changed:
            self._changed.notify_all()
        try:
            await self.may_end.wait()
            if (error := self._outcome()) is not None:
                raise error
        finally:
            self.concurrent -= 1
            self.events.append(f"{self.name} ends")

    async def has_begun(self, times: int) -> None:
        """Wait until so many runs have begun."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self.begun >= times)


async def ask(url: str, statement: str, *arguments: object) -> object:
    """The value of a statement on a connection of its own."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close(timeout=10)


async def expire(url: str) -> None:
    """Let the lease expire now, as after its time."""
    await ask(url, "UPDATE leases SET expires_at = clock_timestamp() WHERE name = 'test'")
