"""Wiring: everything long-lived is opened and closed here. The only package that names concrete classes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from app.config import Settings
from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.wiring.app import App
from app.wiring.background import running
from app.wiring.build import build

__all__ = ["App", "open_app"]


@asynccontextmanager
async def open_app(
    settings: Settings, runtime: Runtime | None = None, *, housekeeping: bool = True
) -> AsyncIterator[App]:
    """Open everything, run the background work, and close all of it at the end.

    Without `housekeeping` the work that is there for all instances is left to them: jobs, and keeping Redis loaded.
    PostgreSQL must answer once, for the catalogue: raises ServiceUnavailable otherwise. Redis may be away.
    """
    async with AsyncExitStack() as stack:
        app = await build(settings, runtime or Runtime(), stack)
        await app.database.warm(settings.db_pool_min)
        await app.catalogue.refresh()
        await stack.enter_async_context(running(app, housekeeping=housekeeping))
        try:
            yield app
        finally:
            app.stopping.set()
            app.hub.close()
            with suppress(TimeoutError, ServiceUnavailable):
                async with asyncio.timeout(5):
                    await app.ledger.drain()
                    await app.milestones.flush()
