"""Open the services for the duration of a command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

from app.cli.process.stores import migrated_stores
from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console
from app.config import Settings
from app.runtime import Runtime
from app.stores.postgres import Database
from app.telemetry.logging import configure_logging
from app.wiring import App, open_app
from app.wiring.stores import open_database

T = TypeVar("T")

STATEMENT_TIMEOUT = 600.0
"""Seconds that a statement of a command may take: commands read whole tables, requests read pages."""
REDIS_TIMEOUT = 10.0
"""Seconds that one call to Redis may take: no request waits for a command."""


def with_services(work: Callable[[App], Awaitable[T]]) -> T:
    """Call `work` with all services, and return its result.

    The stores are those of the settings, or the private servers of the current folder. Categories that are not in
    Redis are loaded first.

    Raises:
        CommandError: A store cannot be used.
        EmbeddedError: A private server does not start.
        SettingsError: The settings are invalid.
    """
    with migrated_stores() as settings:
        configure_logging("WARNING", json=False)
        command_settings = settings.model_copy(
            update={"db_timeout": STATEMENT_TIMEOUT, "db_pool_min": 2, "redis_timeout": REDIS_TIMEOUT}
        )

        async def run() -> T:
            async with open_app(command_settings, housekeeping=False) as app:
                await _ensure_loaded(app)
                return await work(app)

        return asyncio.run(run())


def with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Call `work` with PostgreSQL alone, and return its result. Raises the errors of `with_database_and_settings`."""
    return with_database_and_settings(lambda database, _: work(database))


def with_database_and_settings(work: Callable[[Database, Settings], Awaitable[T]]) -> T:
    """Call `work` with PostgreSQL alone and the settings, and return its result. Redis may be unavailable.

    Raises:
        CommandError: PostgreSQL cannot be used.
        EmbeddedError: A private server does not start.
        SettingsError: The settings are invalid.
    """
    with migrated_stores() as settings:
        configure_logging("WARNING", json=False)

        async def run() -> T:
            async with AsyncExitStack() as stack:
                return await work(open_database(settings, Runtime(), stack), settings)

        return asyncio.run(run())


async def _ensure_loaded(app: App) -> None:
    from app.stores.redis_caller import RedisUnreachable

    try:
        with console(stderr=True).status("Loading boards into Redis"):
            await app.rebuild.ensure_loaded()
    except RedisUnreachable as error:
        raise CommandError(f"Redis does not answer: {error}") from error
