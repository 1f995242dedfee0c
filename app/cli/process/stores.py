"""The stores a command works on: those of the settings, else the private ones of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from app.cli.terminal.errors import CommandError
from app.config import Settings, load_settings
from app.embedded import open_stores
from app.models.migrate import UnknownRevision, read_revisions, upgrade

DATA = Path(".data")
"""Where private servers keep their files, in the folder a command is run in."""


@contextmanager
def stores(given: Settings | None = None) -> Iterator[Settings]:
    """Settings with both addresses in them.

    Private servers that run are joined, so that a command works beside `make run`; else they run for its duration.
    Raises SettingsError, EmbeddedError.
    """
    given = given or load_settings()
    with open_stores(DATA, database_url=given.database_url, redis_url=given.redis_url) as found:
        yield load_settings(database_url=found.database_url, redis_url=found.redis_url)


@contextmanager
def migrated_stores(given: Settings | None = None, *, upgrading: bool = False) -> Iterator[Settings]:
    """Settings with both addresses in them, of a database that has all tables.

    A private database is brought up to date; an operator's only with `upgrading`. Raises CommandError as well, also
    when Redis is too old.
    """
    given = given or load_settings()
    with stores(given) as settings:
        ensure_supported_redis(settings)
        ensure_migrated(settings, upgrading=upgrading or given.database_url is None)
        yield settings


def ensure_migrated(settings: Settings, *, upgrading: bool = False) -> None:
    """See to it that the database is at the newest revision: change it with `upgrading`, else raise CommandError."""
    url = str(settings.database_url)
    with reaching("PostgreSQL", url):
        present, newest = read_revisions(url)
        if present != newest and upgrading:
            upgrade(url)
        elif present != newest:
            raise CommandError(
                f"the database is at revision {present or 'base'} but must be at {newest}: run `leaderboard migrate`"
            )


def ensure_supported_redis(settings: Settings) -> None:
    """Raise CommandError when Redis answers and is too old. It may be away: the service starts without it."""
    from app.pubsub.channels.redis_backend import OUTAGES
    from app.stores.redis_version import UnsupportedRedis, require_supported_version
    from app.wiring.stores import PATIENCE, new_redis

    async def check() -> None:
        async with new_redis(settings.model_copy(update={"redis_timeout": PATIENCE})) as redis:
            await require_supported_version(redis)

    try:
        asyncio.run(check())
    except UnsupportedRedis as error:
        raise CommandError(f"Redis at {_place(settings.redis_url)}: {error}") from error
    except OUTAGES:
        return


@contextmanager
def reaching(name: str, url: str | None) -> Iterator[None]:
    """Turn what a store's driver raises into one line that names the store. Raises CommandError."""
    import asyncpg
    import sqlalchemy.exc

    try:
        yield
    except UnknownRevision as error:
        raise CommandError(str(error)) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, sqlalchemy.exc.SQLAlchemyError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__]
        raise CommandError(f"{name} at {_place(url)}: {reason[0] or type(error).__name__}") from error


def _place(url: str | None) -> str:
    """Return the host, and the port where there is one, of an address: what may be shown of it."""
    parts = urlsplit(url or "")
    return f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
