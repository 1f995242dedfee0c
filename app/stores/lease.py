"""Leader election by a row of PostgreSQL that the leader renews, and that expires by PostgreSQL's clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.stores.circuit_breaker import describe
from app.stores.fencing import Fence
from app.stores.postgres import Database

# SKIP LOCKED: a transaction of the previous holder that is still open keeps the row, and the next attempt finds it.
_TAKE = text(
    """
    UPDATE leases SET holder = :holder, token = token + 1, expires_at = clock_timestamp() + :duration * interval '1 s'
    WHERE name = (
        SELECT name FROM leases WHERE name = :name AND expires_at <= clock_timestamp() FOR UPDATE SKIP LOCKED
    )
    RETURNING token
    """
)
_CREATE = text(
    """
    INSERT INTO leases (name, holder, token, expires_at)
    VALUES (:name, :holder, 1, clock_timestamp() + :duration * interval '1 s')
    ON CONFLICT (name) DO NOTHING
    RETURNING token
    """
)
_RENEW = text(
    """
    UPDATE leases SET expires_at = clock_timestamp() + :duration * interval '1 s'
    WHERE name = :name AND holder = :holder AND token = :token AND expires_at > clock_timestamp()
    RETURNING token
    """
)
_RELEASE = text("UPDATE leases SET expires_at = clock_timestamp() WHERE name = :name AND holder = :holder")


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How long a lease is valid, in seconds.

    The holder renews it every `renew_interval`. If no renewal succeeds, it regards the lease as lost `margin` before
    PostgreSQL does, so that its work has ended when another instance takes the lease.

    Raises:
        ValueError: There is no time for a renewal before the lease is regarded as lost.
    """

    duration: float = 10.0
    renew_interval: float = 2.0
    margin: float = 2.0

    def __post_init__(self) -> None:
        if self.duration - self.margin <= self.renew_interval:
            raise ValueError("`duration` must be longer than `renew_interval` and `margin` together")


class HeldLease:
    """A lease while it is held."""

    def __init__(self, lease: Lease, fence: Fence, valid_until: float) -> None:
        self.fence = fence
        self._lease = lease
        self._valid_until = valid_until

    async def wait_until_lost(self) -> str:
        """Renew the lease until it is no longer certain that it is held.

        Returns:
            The reason, for the log.
        """
        reason = "the lease expired"
        while True:
            try:
                async with asyncio.timeout(self._valid_until - self._lease.monotonic()):
                    await asyncio.sleep(self._lease.times.renew_interval)
                    renewed_until = await self._lease.renew(self.fence)
            except ServiceUnavailable as error:
                reason = f"the lease could not be renewed: {describe(error)}"
            except TimeoutError:
                return reason
            else:
                if renewed_until is None:
                    return "the lease expired, or another instance has it"
                self._valid_until = renewed_until


class Lease:
    """Lets one instance at a time be the leader.

    Each statement is a transaction of its own on any connection of the pool, so a pooler that lends connections per
    transaction can be in between. Advisory locks of a session could not be used with one.
    """

    def __init__(self, database: Database, name: str, runtime: Runtime, times: LeaseTimes | None = None) -> None:
        """Create a lease that this instance does not hold yet.

        Args:
            database: The database whose instances compete.
            name: The name of the lease; the same in all versions of the service.
            runtime: The sources of time and randomness.
            times: How long the lease is valid.
        """
        self._database = database
        self._name = name
        self._runtime = runtime
        self.times = times or LeaseTimes()
        self.monotonic = runtime.monotonic

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[HeldLease | None]:
        """Try to acquire the lease, and release it at the end of the block, however that ends.

        Yields:
            The lease, or None if another instance holds it.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        holder = UUID(bytes=self._runtime.random_bytes(16), version=4)
        may_hold = True  # Until PostgreSQL has answered no.
        try:
            valid_until = self._valid_until()
            token = await self._acquire(holder)
            may_hold = token is not None
            yield None if token is None else HeldLease(self, Fence(self._name, holder, token), valid_until)
        finally:
            if may_hold:
                with suppress(ServiceUnavailable):  # Then it expires.
                    await self._execute(_RELEASE, {"name": self._name, "holder": holder})

    async def renew(self, fence: Fence) -> float | None:
        """Extend the lease by its duration.

        Returns:
            Until when it is held, on the monotonic clock; None if it is not held.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        valid_until = self._valid_until()
        parameters = {"name": fence.name, "holder": fence.holder, "token": fence.token, "duration": self.times.duration}
        return None if await self._execute(_RENEW, parameters) is None else valid_until

    def _valid_until(self) -> float:
        """Return until when a lease is held that is requested now; PostgreSQL counts from when it executes this."""
        return self.monotonic() + self.times.duration - self.times.margin

    async def _acquire(self, holder: UUID) -> int | None:
        parameters = {"name": self._name, "holder": holder, "duration": self.times.duration}
        token = await self._execute(_TAKE, parameters)
        return await self._execute(_CREATE, parameters) if token is None else token

    async def _execute(self, statement: TextClause, parameters: Mapping[str, Any]) -> int | None:
        async with self._database.driver() as connection:
            rows = await connection.execute(statement, parameters)
        return rows[0].token if rows else None
