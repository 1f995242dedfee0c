"""Dependency wiring: opens and closes all long-lived objects below the transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from app.config import Settings
from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.wiring.app import App
from app.wiring.background import background_work
from app.wiring.build import build_app

__all__ = ["App", "open_app"]


@asynccontextmanager
async def open_app(
    settings: Settings, runtime: Runtime | None = None, *, housekeeping: bool = True
) -> AsyncIterator[App]:
    """Open the application with its background work, and close it at the end of the block.

    Redis may be unavailable.

    Args:
        settings: The settings of the installation.
        runtime: The sources of time and randomness; the real ones by default.
        housekeeping: Whether to run also what one instance does for all: jobs, and keeping Redis loaded.

    Raises:
        ServiceUnavailable: PostgreSQL does not answer, so the catalogue cannot be read.
        SettingsError: A setting names a completion verifier that cannot be loaded.
    """
    async with AsyncExitStack() as stack:
        app = await build_app(settings, runtime or Runtime(), stack)
        await app.database.warm(settings.db_pool_min)
        await app.server_clock.measure()
        await app.catalogue.refresh()
        # Before anything is read from Redis, which may lack what was committed before this start.
        await app.missed_writes.refresh()
        await app.profile_generation.refresh()
        with suppress(ServiceUnavailable):  # The job tries again; until then the default partition serves.
            await app.partitions.ensure()
        await stack.enter_async_context(background_work(app, housekeeping=housekeeping))
        try:
            yield app
        finally:
            app.stopping.set()
            app.hub.close()
            with suppress(TimeoutError, ServiceUnavailable):
                async with asyncio.timeout(5):
                    await app.ledger.drain()
                    await app.milestones.flush()
