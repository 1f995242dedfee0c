"""The background work of an open application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from app.services.catalogue.refresh import CatalogueRefresh
from app.services.invalidation import Invalidation
from app.telemetry.supervision import end
from app.wiring.app import App


@asynccontextmanager
async def background_work(app: App, *, housekeeping: bool) -> AsyncIterator[None]:
    """Run the background work of `app`, each loop supervised, until the block ends.

    Args:
        app: The open application.
        housekeeping: Whether to run also what one instance does for all: jobs, and keeping Redis loaded.
    """
    loops: dict[str, Callable[[], Awaitable[object]]] = {
        "channels": app.backend.run,
        "notices": app.notices.run,
        "hub": app.hub.run,
        "catalogue": CatalogueRefresh(app.catalogue, app.rebuild.request).run,
        "missed writes": app.missed_writes.run_refresh,
        "repair": partial(app.missed_writes.run_repair, app.reconcile.recent),
        "profile generation": app.profile_generation.run,
        "milestones": app.milestones.run,
        "server_clock": app.server_clock.run,
        "api keys": app.api_keys.run,
        "event loop lag": app.event_loop_lag.run,
        "store statistics": app.store_statistics.run,
    }
    if app.replicas.all:
        loops["replicas"] = app.replicas.run
    for number, keys in enumerate(app.key_sets, 1):
        loops[f"key set {number}"] = keys.run
    if housekeeping:
        loops |= {"rebuild": app.rebuild.run, "jobs": app.jobs.run}
    caches = (app.profiles, app.users, app.account_cache, app.entry_metadata)
    app.notices.listen(Invalidation(caches, app.past_answers, app.catalogue))
    tasks = [asyncio.create_task(app.supervisor.keep(name, run), name=name) for name, run in loops.items()]
    try:
        yield
    finally:
        await end(tasks)
