"""Read replicas of PostgreSQL, for reads that may lag a little behind the primary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.stores.circuit_breaker import describe
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MEASURING_INTERVAL = 1.0
"""Seconds between two measurements of the lag."""

MEASURING_TIMEOUT = 2.0
"""Seconds that a measurement of one server may take."""

MAX_REPEATS = 5
"""How often a replica is asked again that has not replayed yet what the primary wrote a moment ago."""

_REPEAT_DELAY = 0.05

# The first eight digits of the name of a WAL file are the timeline, which changes when a standby is promoted.
_POSITION = text(
    """
    SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline, pg_current_wal_lsn() - '0/0'::pg_lsn AS position
    """
)
_REPLAYED = text(
    """
    SELECT pg_is_in_recovery() AS in_recovery,
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() - '0/0'::pg_lsn END AS position
    """
)

_Connect = Callable[[Database], AbstractAsyncContextManager[AsyncConnection]]


@dataclass(slots=True)
class Replica:
    """One replica, and what is known about it.

    Attributes:
        database: Its connections.
        current_as_of: A moment of the monotonic clock whose commits it has replayed, all of them; None if unknown.
        problem: Why it cannot be used, "" if it can, as far as its lag allows.
        reads: How many reads it has served.
        skipped: How many reads it would have served if it had been usable.
    """

    database: Database
    current_as_of: float | None = None
    problem: str = "it was not measured yet"
    reads: int = 0
    skipped: int = 0
    measured: Replica | None = None
    """The same replica through other connections, by which it is measured."""

    @property
    def name(self) -> str:
        """Its hosts and ports."""
        return self.database.label


class Replicas:
    """Uses the replicas in turn whose lag is within the bound; if there is none, the primary.

    The lag is measured by positions in the write-ahead log, and not by clocks: a replica that has replayed the position
    which the primary had at a moment has all commits of that moment. A replica that is disconnected, has lost its slot
    or was restored from something else does not get any further, and so its lag grows.
    """

    def __init__(self, replicas: Sequence[Database], primary: Database, runtime: Runtime, *, max_lag: float) -> None:
        """Prepare the replicas; none is used before `run` has measured it.

        Args:
            replicas: The replicas.
            primary: The primary, which is used instead of them.
            runtime: The source of time.
            max_lag: The lag in seconds up to which a replica is used.
        """
        self.all = tuple(Replica(database) for database in replicas)
        self._primary = primary
        self._runtime = runtime
        self._monotonic = runtime.monotonic
        self._max_lag = max_lag
        self._next = count()
        self._timeline = ""
        self._positions: list[tuple[float, int]] = []
        """Moments, and the positions that the primary had then, from old to new; none is older than twice the bound."""

    def through(self, replicas: Sequence[Database], primary: Database) -> Replicas:
        """Return the same replicas through other connections. They are used as long as they are within the bound here.

        Args:
            replicas: Connections to each of the replicas, in the same order.
            primary: Other connections to the primary.
        """
        others = Replicas(replicas, primary, self._runtime, max_lag=self._max_lag)
        for other, measured in zip(others.all, self.all, strict=True):
            other.measured = measured
        return others

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection of a replica, as `Database.connect` does."""
        async with AsyncExitStack() as stack:
            yield await self._enter(stack, Database.connect)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection of a replica, as `Database.snapshot` does."""
        async with AsyncExitStack() as stack:
            yield await self._enter(stack, Database.snapshot)

    def lag(self, replica: Replica) -> float | None:
        """Return how many seconds a replica may be behind; None if that is unknown."""
        current_as_of = (replica.measured or replica).current_as_of
        return None if current_as_of is None else self._monotonic() - current_as_of

    def is_usable(self, replica: Replica) -> bool:
        """Return whether the lag of a replica is known and within the bound."""
        lag = self.lag(replica)
        return lag is not None and lag <= self._max_lag

    async def run(self) -> None:
        """Measure the lag of all replicas again and again until cancelled. To be supervised."""
        while True:
            await self.measure()
            await asyncio.sleep(MEASURING_INTERVAL)

    async def measure(self) -> None:
        """Measure the lag of all replicas now. A server that does not answer makes its replica too old in time."""
        try:
            async with asyncio.timeout(MEASURING_TIMEOUT):
                present = await self._read_primary()
        except (ServiceUnavailable, DBAPIError, TimeoutError) as error:
            for replica in self.all:
                self._note(replica, f"the primary does not tell its position: {describe(error)}")
            return
        await asyncio.gather(*(self._measure(replica, present) for replica in self.all))

    async def _measure(self, replica: Replica, present: int) -> None:
        try:
            async with asyncio.timeout(MEASURING_TIMEOUT):
                position = await _read_replayed(replica.database)
                for _ in range(MAX_REPEATS):
                    if position is None or position >= present:
                        break
                    await asyncio.sleep(_REPEAT_DELAY)
                    position = await _read_replayed(replica.database)
                ahead = position is not None and position > present and position > await self._read_primary()
        except (ServiceUnavailable, DBAPIError, TimeoutError) as error:
            self._note(replica, describe(error))
            return
        if position is None:
            replica.current_as_of = None
            self._note(replica, "it is not a standby, or does not tell its position")
        elif ahead:
            replica.current_as_of = None
            self._note(replica, "it is ahead of the primary, and so belongs to another history")
        else:
            replayed = [moment for moment, written in self._positions if written <= position]
            if replayed:
                replica.current_as_of = replayed[-1]
            self._note(replica, "" if self.is_usable(replica) else "its lag is over the bound")

    async def _read_primary(self) -> int:
        asked = self._monotonic()
        async with self._primary.connect() as connection:
            row = (await connection.execute(_POSITION)).one()
        if row.timeline != self._timeline:  # Positions of different histories cannot be compared.
            self._timeline = row.timeline
            self._positions.clear()
            for replica in self.all:
                replica.current_as_of = None
        position = int(row.position)
        oldest = asked - 2 * self._max_lag - MEASURING_INTERVAL
        self._positions = [one for one in self._positions if one[0] >= oldest] + [(asked, position)]
        return position

    def _note(self, replica: Replica, problem: str) -> None:
        """Remember and log why a replica is not used, once per reason."""
        if problem and self.is_usable(replica):
            return  # What it had replayed when it was last measured is still recent enough.
        if problem != replica.problem:
            if problem:
                log.warning("replica_not_used", replica=replica.name, reason=problem)
            else:
                log.info("replica_used", replica=replica.name)
        replica.problem = problem

    async def _enter(self, stack: AsyncExitStack, connect: _Connect) -> AsyncConnection:
        first = next(self._next)
        for turn in range(len(self.all)):
            replica = self.all[(first + turn) % len(self.all)]
            if self.is_usable(replica):
                try:
                    connection = await stack.enter_async_context(connect(replica.database))
                except ServiceUnavailable:
                    pass
                else:
                    replica.reads += 1
                    return connection
            replica.skipped += 1
        return await stack.enter_async_context(connect(self._primary))


async def _read_replayed(database: Database) -> int | None:
    """Return the position up to which a server has replayed; None if it is no standby, or does not tell it."""
    async with database.connect() as connection:
        row = (await connection.execute(_REPLAYED)).one()
    return int(row.position) if row.in_recovery and row.position is not None else None
