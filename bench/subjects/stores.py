"""Run private stores in a temporary folder, and create a database for each subject."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import asyncpg
from sqlalchemy import make_url

from app.embedded import Stores, open_stores
from app.embedded.paths import base_folder, make_private

T = TypeVar("T")


@dataclass(frozen=True)
class Database:
    """The database of one subject; `url` is as SQLAlchemy expects it."""

    url: str

    @property
    def dsn(self) -> str:
        """The URL as other drivers expect it."""
        return make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)

    def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Call `work` with a new connection, and return its result."""

        async def connected() -> T:
            connection = await asyncpg.connect(self.dsn, timeout=10, command_timeout=600)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(connected())

    def settle(self) -> None:
        """Update statistics, vacuum and write a checkpoint, so that none of these disturbs a measurement."""

        async def analyze(connection: asyncpg.Connection) -> None:
            await connection.execute("VACUUM ANALYZE")
            await connection.execute("CHECKPOINT")

        self.run(analyze)


@contextmanager
def private_stores() -> Iterator[Stores]:
    """Run PostgreSQL and Redis, as durable as in development, during the block; their data is deleted at the end."""
    folder = make_private(Path(tempfile.gettempdir()) / f"leaderboard-bench-{secrets.token_hex(6)}")
    try:
        with open_stores(folder) as stores:
            yield stores
    finally:
        if base_folder(folder) != folder:
            shutil.rmtree(base_folder(folder), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def create_database(stores: Stores, name: str) -> Database:
    """Create an empty database."""

    async def create(connection: asyncpg.Connection) -> None:
        await connection.execute(f'CREATE DATABASE "{name}"')

    Database(stores.database_url).run(create)
    return Database(make_url(stores.database_url).set(database=name).render_as_string(hide_password=False))
