"""The clock of PostgreSQL, by which windows are closed, and how far the clock of this machine is from it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text

from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MEASURING_INTERVAL = 10.0
"""Seconds between two measurements of the skew."""

MAX_UNREPORTED_SKEW = timedelta(seconds=1)
"""A larger skew is logged."""

_NOW = text("SELECT clock_timestamp() AS now")


class ServerClock:
    """Tells the time of PostgreSQL, and measures the skew: the time of this machine less that of PostgreSQL.

    While the skew is larger than `max_skew`, this instance must not change anything: it would put points into windows
    that have not begun, or are over.
    """

    def __init__(self, database: Database, runtime: Runtime, *, max_skew: timedelta) -> None:
        self._database = database
        self._runtime = runtime
        self._max_skew = max_skew
        self._was_excessive = False
        self.skew = timedelta(0)

    @property
    def is_skew_excessive(self) -> bool:
        """Whether the skew is larger than the bound, so that this instance refuses to write."""
        return abs(self.skew) > self._max_skew

    async def now(self) -> datetime:
        """Return the present time of PostgreSQL. Raises ServiceUnavailable."""
        await self.measure()
        return self._runtime.clock() - self.skew

    async def measure(self) -> timedelta:
        """Measure the skew, and return it. Raises ServiceUnavailable."""
        async with self._database.connect() as connection:
            await connection.execute(
                _NOW
            )  # The connection is open, so that the next statement takes as long as it must.
            asked = self._runtime.system_clock()
            started = self._runtime.monotonic()
            server: datetime = (await connection.execute(_NOW)).scalar_one()
            duration = timedelta(seconds=self._runtime.monotonic() - started)
        skew = asked + duration / 2 - server
        # PostgreSQL may have read its clock at any moment of the call.
        uncertain = abs(skew) <= duration / 2
        self.skew = timedelta(0) if uncertain else skew
        return self.skew

    async def run(self) -> None:
        """Measure the skew again and again until cancelled, and log it when it is large. To be supervised."""
        while True:
            try:
                skew = await self.measure()
            except ServiceUnavailable:
                await asyncio.sleep(MEASURING_INTERVAL)
                continue
            if self.is_skew_excessive:
                log.error("clock_skew_excessive", skew_seconds=skew.total_seconds(), writes="refused")
            elif abs(skew) > MAX_UNREPORTED_SKEW:
                log.warning("clock_skew", skew_seconds=skew.total_seconds())
            elif self._was_excessive:
                log.warning("clock_skew_ended", skew_seconds=skew.total_seconds(), writes="accepted")
            self._was_excessive = self.is_skew_excessive
            await asyncio.sleep(MEASURING_INTERVAL)

    def require_acceptable_skew(self) -> None:
        """Raise ServiceUnavailable while the skew is larger than the bound."""
        if self.is_skew_excessive:
            raise ServiceUnavailable
