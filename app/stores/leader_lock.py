"""Leader election by a PostgreSQL advisory lock, held by a session that the server ends when it is idle."""

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

CLOSE_TIMEOUT = 2.0
"""Seconds that closing the session may take before its socket is aborted."""

SESSION_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""The exceptions of a statement on a session that is closed, disconnected or too slow."""

_TRY_LOCK = text("SELECT pg_try_advisory_lock(:key)")
_SET_LEASE = text("SELECT set_config('idle_session_timeout', :milliseconds, false)")
# Calling pg_try_advisory_lock again would acquire a lock that was lost, and so hide the loss.
_IS_HELD = """
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND objsubid = 1
      AND (classid::bigint << 32) | objid::bigint = $1
)
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """How soon the loss of the lock is detected, in seconds.

    The holder checks its lock every `check_interval` and waits `check_timeout` for the answer, so a loss is detected
    within `max_detection_time`. The server ends a session that is idle for `idle_timeout`, so an instance that hangs
    or is disconnected does not hold the lock any longer.

    Raises:
        ValueError: `idle_timeout` is not longer than `max_detection_time`. The server could give the lock to another
            instance while the holder still uses it.
    """

    check_interval: float = 1.0
    check_timeout: float = 4.0
    idle_timeout: float = 15.0

    def __post_init__(self) -> None:
        if self.idle_timeout <= self.max_detection_time:
            raise ValueError("`idle_timeout` must be longer than `check_interval` and `check_timeout` together")

    @property
    def max_detection_time(self) -> float:
        """The maximum time in seconds until the holder detects that the lock is lost."""
        return self.check_interval + self.check_timeout


class HeldLock:
    """The lock while it is held."""

    def __init__(self, driver: Any, key: int, lease: Lease) -> None:
        self._driver = driver
        self._key = key
        self._lease = lease
        self._terminated = asyncio.Event()
        driver.add_termination_listener(lambda _: self._terminated.set())

    async def wait_until_lost(self) -> str:
        """Wait until it is no longer certain that the lock is held.

        Returns:
            The reason, for the log.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease.check_interval):
                    await self._terminated.wait()
            try:
                held = await self._driver.fetchval(_IS_HELD, self._key, timeout=self._lease.check_timeout)
            except SESSION_FAILURES as error:
                return f"{type(error).__name__}: {error}"
            if not held:
                return "the session does not hold the lock"


class LeaderLock:
    """Lets one instance at a time be the leader.

    Each attempt has a connection of its own, which is never returned to the pool: a session-level lock outlives the
    statement, and if the result of a statement did not arrive it is unknown whether the connection holds the lock. The
    connection is in autocommit mode.
    """

    def __init__(self, database: Database, key: int, lease: Lease | None = None) -> None:
        """Create a lock that nobody holds yet.

        Args:
            database: The database whose instances compete.
            key: The key of the advisory lock; the same in all versions of the service.
            lease: How soon the loss of the lock is detected.
        """
        self._database = database
        self._key = key
        self.lease = lease or Lease()

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[HeldLock | None]:
        """Try to acquire the lock, and release it at the end of the block, however that ends.

        Yields:
            The lock, or None if another instance holds it.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        async with self._database.connect() as connection:
            driver = await _detach(connection)
            try:
                if (await connection.execute(_TRY_LOCK, {"key": self._key})).scalar_one():
                    milliseconds = str(int(self.lease.idle_timeout * 1000))
                    await connection.execute(_SET_LEASE, {"milliseconds": milliseconds})
                    yield HeldLock(driver, self._key, self.lease)
                else:
                    yield None
            finally:
                await _close(driver)


async def _detach(connection: AsyncConnection) -> Any:
    """Remove the connection from the pool for good; return the driver's connection."""
    driver = (await connection.get_raw_connection()).driver_connection  # Not accessible after `detach`.
    assert connection.sync_connection is not None
    connection.sync_connection.detach()
    return driver


async def _close(driver: Any) -> None:
    """End the session, so that the lock is released. A session that is still executing a statement is aborted."""
    try:
        # The driver's own timeout does not cover the wait for a statement that it has cancelled.
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await driver.close()
    except SESSION_FAILURES:
        driver.terminate()
