"""The services a command works with, open for as long as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.cli.process.stores import migrated_stores
from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console
from app.telemetry.logging import configure_logging
from app.wiring import App, open_app

T = TypeVar("T")

PATIENCE = 600.0
"""Seconds that a statement may take for a command: it counts everything, where a request reads a page."""
REDIS_PATIENCE = 10.0
"""Seconds that one call to Redis may take: nobody waits for it but the person who called the command."""


def with_services(work: Callable[[App], Awaitable[T]]) -> T:
    """What `work` returns, called with all services on the stores of this folder or of the settings.

    The categories are loaded in Redis as far as Redis answers. Raises CommandError, EmbeddedError, SettingsError, and
    what `work` raises.
    """
    with migrated_stores() as settings:
        configure_logging("WARNING", json=False)
        patient = settings.model_copy(
            update={"db_timeout": PATIENCE, "db_pool_min": 2, "redis_timeout": REDIS_PATIENCE}
        )

        async def run() -> T:
            async with open_app(patient, housekeeping=False) as app:
                await _load(app)
                return await work(app)

        return asyncio.run(run())


async def _load(app: App) -> None:
    from app.services.board_index import RedisUnreachable

    try:
        with console(stderr=True).status("Loading the boards into Redis, where they are not there yet"):
            await app.rebuild.ensure_loaded()
    except RedisUnreachable as error:
        raise CommandError(f"Redis does not answer: {error}") from error
