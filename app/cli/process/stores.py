"""Open the stores of a command: those of the settings, or the private servers of this folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from app.cli.process.data_folder import DATA_FOLDER
from app.cli.terminal.errors import CommandError, print_error
from app.config import Settings, load_settings
from app.models.revisions import (
    DirectConnectionRequired,
    MigrationBlocked,
    Revisions,
    UnknownRevision,
    read_revisions,
)

RETRY_INTERVAL = 0.5
"""Seconds between two attempts to reach PostgreSQL at the start."""


@contextmanager
def open_settings_with_stores(given: Settings | None = None) -> Iterator[Settings]:
    """Yield settings with the URLs of both stores.

    For a URL that is not set, a private server is used: one that is running, such as that of `make run`, or else one
    that runs for the duration of the block.

    Raises:
        CommandError: A private server is needed, and this installation has none.
        EmbeddedError: A private server does not start.
        SettingsError: The settings are invalid.
    """
    given = given or load_settings()
    if given.database_url and given.redis_url:
        yield given
        return
    try:
        from app.embedded import open_stores  # not part of the production image
    except ModuleNotFoundError as error:
        raise CommandError(
            "DATABASE_URL and REDIS_URL must be set: private servers are not part of this installation"
        ) from error
    with open_stores(DATA_FOLDER, database_url=given.database_url, redis_url=given.redis_url) as found:
        yield load_settings(database_url=found.database_url, redis_url=found.redis_url)


@contextmanager
def migrated_stores(given: Settings | None = None, *, upgrading: bool = False) -> Iterator[Settings]:
    """Yield settings with the URLs of both stores, once the database is at the newest revision.

    A private database is always upgraded; the database of DATABASE_URL only with `upgrading`.

    Raises:
        CommandError: The database is not at the newest revision, PostgreSQL cannot be reached, or Redis is too old.
        EmbeddedError: A private server does not start.
        SettingsError: The settings are invalid.
    """
    given = given or load_settings()
    with open_settings_with_stores(given) as settings:
        ensure_supported_redis(settings)
        ensure_migrated(settings, upgrading=upgrading or given.database_url is None)
        yield settings


def ensure_migrated(settings: Settings, *, upgrading: bool = False, timeout: float = 0) -> None:
    """Check that this version can use the database; with `upgrading`, upgrade it to the newest revision.

    Args:
        settings: The settings with the URL.
        upgrading: Whether to upgrade.
        timeout: For how many seconds to wait for PostgreSQL if it is unavailable.

    Raises:
        CommandError: The database is at another revision, or PostgreSQL cannot be reached.
    """
    url = str(settings.database_url)
    with translate_store_errors("PostgreSQL", url):
        found = wait_for_revisions(url, timeout)
        if not found.are_compatible and upgrading:
            from app.models.migrate import upgrade  # takes memory that a server does not need

            upgrade(url)
        elif not found.are_compatible:
            raise CommandError(
                f"the database is at revision {found.current or 'base'} but must be at {found.newest}: "
                "run `leaderboard migrate`"
            )
        if found.is_newer:
            print_error(f"the database is at revision {found.current} of a newer version, which this one can use")


def wait_for_revisions(url: str, timeout: float) -> Revisions:
    """Read the revision of the database, and wait for PostgreSQL up to `timeout` seconds if it is unavailable.

    Raises:
        UnknownRevision: This version cannot use the database.
        SQLAlchemyError, asyncpg.PostgresError, OSError, TimeoutError: PostgreSQL does not answer, or refuses.
    """
    deadline = time.monotonic() + timeout
    is_announced = False
    while True:
        try:
            return read_revisions(url)
        except Exception as error:
            if not _is_unavailable(error) or time.monotonic() + RETRY_INTERVAL > deadline:
                raise
            if not is_announced:
                print_error(f"waiting up to {timeout:g} s for PostgreSQL at {_host_and_port(url)}: {_reason(error)}")
                is_announced = True
        time.sleep(RETRY_INTERVAL)


def _is_unavailable(error: Exception) -> bool:
    """Return whether PostgreSQL is not reachable, is starting or has no free connection, all of which may pass."""
    import asyncpg

    cause = getattr(error, "orig", None) or error
    state = str(getattr(cause, "sqlstate", None) or "")
    return (
        isinstance(cause, (OSError, TimeoutError, asyncpg.ConnectionDoesNotExistError))
        or state.startswith("08")
        or state in ("57P01", "57P02", "57P03", "53300")
    )


def ensure_supported_redis(settings: Settings) -> None:
    """Check the version of Redis; Redis may be unavailable, because the service starts without it.

    Raises:
        CommandError: Redis answers, and its version is too old.
    """
    from app.pubsub.channels.channel_connection import OUTAGES
    from app.stores.redis_clients import open_client
    from app.stores.redis_version import UnsupportedRedis, require_supported_version
    from app.wiring.stores import MIN_HOUSEKEEPING_TIMEOUT

    url = settings.redis_url
    assert url is not None

    async def check() -> None:
        client = open_client(url, cluster=settings.redis_cluster_enabled, timeout=MIN_HOUSEKEEPING_TIMEOUT)
        async with client as redis:
            await require_supported_version(redis)

    try:
        asyncio.run(check())
    except UnsupportedRedis as error:
        raise CommandError(f"Redis at {_host_and_port(settings.redis_url)}: {error}") from error
    except OUTAGES:
        return


@contextmanager
def translate_store_errors(name: str, url: str | None) -> Iterator[None]:
    """Translate errors of a store's driver to errors of one line that names the store.

    Raises:
        CommandError: The driver raised an error in the block.
    """
    import asyncpg
    import sqlalchemy.exc

    try:
        yield
    except (UnknownRevision, MigrationBlocked, DirectConnectionRequired) as error:
        raise CommandError(str(error)) from error
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        sqlalchemy.exc.SQLAlchemyError,
    ) as error:
        raise CommandError(f"{name} at {_host_and_port(url)}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).splitlines()
    return (lines and lines[0]) or type(error).__name__


def _host_and_port(url: str | None) -> str:
    """Return the hosts and ports of a URL, which may be printed; the rest may contain a password."""
    return urlsplit(url or "").netloc.rpartition("@")[2] or "localhost"
