"""What runs beside the requests, for as long as the application is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.events import CatalogueChanged, Notice, NoticesLost, ProfileChanged
from app.services.board_index import RedisUnreachable
from app.telemetry.supervision import end
from app.wiring.app import App


@asynccontextmanager
async def running(app: App, *, housekeeping: bool) -> AsyncIterator[None]:
    """Run everything in the background of `app`, each piece supervised, until the block ends.

    Without `housekeeping` not that of which one instance does enough for all.
    """
    pieces: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
        ("channels", app.backend.run),
        ("notices", app.notices.run),
        ("hub", app.hub.run),
        ("catalogue", lambda: _keep_catalogue(app)),
        ("repair", lambda: _repair_misses(app)),
        ("milestones", app.milestones.run),
        *((("jwks", app.jwks.run),) if app.jwks else ()),
        *((("rebuild", app.rebuild.run), ("jobs", app.jobs.run)) if housekeeping else ()),
    )
    app.notices.listen(lambda notice: _hear(app, notice))
    tasks = [asyncio.create_task(app.supervisor.keep(name, run), name=name) for name, run in pieces]
    try:
        yield
    finally:
        await end(tasks)


def _hear(app: App, notice: Notice) -> None:
    """Forget what a notice says is no longer so."""
    match notice:
        case ProfileChanged(user_id):
            app.profiles.invalidate(user_id)
            app.users.invalidate(user_id)
            app.account_cache.invalidate(user_id)
        case NoticesLost():
            app.profiles.invalidate_all()
            app.users.invalidate_all()
            app.account_cache.invalidate_all()
            app.catalogue.outdated.set()
        case CatalogueChanged():
            app.catalogue.outdated.set()


async def _keep_catalogue(app: App) -> None:
    """Read the catalogue again when told to, and every half minute in case nobody could tell."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                await app.catalogue.outdated.wait()
        await app.catalogue.refresh()
        app.rebuild.request()  # A new category is not in Redis yet.


async def _repair_misses(app: App) -> None:
    """Put right what this process could not tell Redis: no other process knows of it."""
    while True:
        await asyncio.sleep(1)
        with suppress(RedisUnreachable, ServiceUnavailable):
            await app.after_commit.repair(app.reconcile.recent)
