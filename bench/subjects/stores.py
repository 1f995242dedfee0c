"""The stores of one run: private servers in a temporary folder, and a database for each subject."""

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
    """One subject's database. `url` is in the form of SQLAlchemy."""

    url: str

    @property
    def dsn(self) -> str:
        """The address in the form that other drivers than SQLAlchemy know."""
        return make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)

    def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Do `work` with a connection of its own."""

        async def connected() -> T:
            connection = await asyncpg.connect(self.dsn, timeout=10, command_timeout=600)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(connected())

    def settle(self) -> None:
        """Have the statistics right, and no vacuum in the way of what is measured next."""

        async def analyze(connection: asyncpg.Connection) -> None:
            await connection.execute("VACUUM ANALYZE")
            await connection.execute("CHECKPOINT")

        self.run(analyze)


@contextmanager
def private_stores() -> Iterator[Stores]:
    """PostgreSQL and Redis for this run, as durable as in development; nothing is left of them."""
    folder = make_private(Path(tempfile.gettempdir()) / f"leaderboard-bench-{secrets.token_hex(6)}")
    try:
        with open_stores(folder) as stores:
            yield stores
    finally:
        if base_folder(folder) != folder:
            shutil.rmtree(base_folder(folder), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def create_database(stores: Stores, name: str) -> Database:
    """A new, empty database."""

    async def create(connection: asyncpg.Connection) -> None:
        await connection.execute(f'CREATE DATABASE "{name}"')

    Database(stores.database_url).run(create)
    return Database(make_url(stores.database_url).set(database=name).render_as_string(hide_password=False))
