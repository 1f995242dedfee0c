"""The lock that elects the leader: a PostgreSQL advisory lock, whose session the server ends when it is idle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.stores.postgres import Database

KEY = 7_220_310_456
"""The key of the advisory lock; all versions of the service must use the same."""

CLOSE_TIMEOUT = 2.0
"""Seconds that closing the session may take before its socket is cut off."""

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""What a statement on a session raises that is closed, cut off or not answered in time."""

_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_SET_LEASE = text("SELECT set_config('idle_session_timeout', :milliseconds, false)")
# Asking again with pg_try_advisory_lock would take a lock that was lost, and so hide the loss.
_IS_HELD = """
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND objsubid = 1
      AND (classid::bigint << 32) | objid::bigint = $1
)
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """How soon the loss of the lock is noticed, in seconds.

    The holder asks for its lock every `check_interval` and waits `check_timeout` for the answer, so it knows of a loss
    within `notice`. The server ends a session that asks nothing for `idle_timeout`: an instance that is frozen, or cut
    off from the network, keeps the lock no longer.

    Raises ValueError unless `idle_timeout` is longer than `notice`: the server could give the lock to another instance
    while the holder still believes to have it.
    """

    check_interval: float = 1.0
    check_timeout: float = 4.0
    idle_timeout: float = 15.0

    def __post_init__(self) -> None:
        if self.idle_timeout <= self.notice:
            raise ValueError("`idle_timeout` must be longer than `check_interval` and `check_timeout` together")

    @property
    def notice(self) -> float:
        """The longest time in seconds until the holder notices that the lock is lost."""
        return self.check_interval + self.check_timeout


class HeldLock:
    """The lock, while its session lasts."""

    def __init__(self, driver: Any, lease: Lease) -> None:
        self._driver = driver
        self._lease = lease
        self._terminated = asyncio.Event()
        driver.add_termination_listener(lambda _: self._terminated.set())

    async def wait_until_lost(self) -> str:
        """Wait until the lock is no longer held for certain.

        Returns:
            The reason, for the log.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease.check_interval):
                    await self._terminated.wait()
            try:
                held = await self._driver.fetchval(_IS_HELD, KEY, timeout=self._lease.check_timeout)
            except FAILURES as error:
                return f"{type(error).__name__}: {error}"
            if not held:
                return "the session does not hold the lock"


class LeaderLock:
    """Lets one instance at a time be the leader.

    Each attempt has a connection of its own, which never goes back into the pool: when the answer to a statement did
    not arrive, nobody knows whether the connection holds the lock. It is in autocommit mode, without transactions.
    """

    def __init__(self, database: Database, lease: Lease | None = None) -> None:
        self._database = database
        self.lease = lease or Lease()

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[HeldLock | None]:
        """Try to take the lock; yield None when another instance holds it. It is released at the end of the block.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        async with self._database.connect() as connection:
            driver = await _detach(connection)
            try:
                if (await connection.execute(_TAKE, {"key": KEY})).scalar_one():
                    milliseconds = str(int(self.lease.idle_timeout * 1000))
                    await connection.execute(_SET_LEASE, {"milliseconds": milliseconds})
                    yield HeldLock(driver, self.lease)
                else:
                    yield None
            finally:
                await _close(driver)


async def _detach(connection: AsyncConnection) -> Any:
    """Take the connection out of the pool for good; returns the driver's connection."""
    driver = (await connection.get_raw_connection()).driver_connection  # After `detach` it is no longer named.
    assert connection.sync_connection is not None
    connection.sync_connection.detach()
    return driver


async def _close(driver: Any) -> None:
    """End the session, so that the lock is free. One that still owes an answer is cut off after a moment."""
    try:
        # The driver's own limit does not cover the wait for a statement that it has cancelled.
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await driver.close()
    except FAILURES:
        driver.terminate()
