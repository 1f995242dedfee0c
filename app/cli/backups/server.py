"""The server that is backed up: what it says of itself, and the record of its backups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import text

from app.cli.process.stores import translate_store_errors
from app.cli.terminal.errors import CommandError
from app.config import Settings
from app.domain.errors import ServiceUnavailable
from app.models.statements.backups.record_backups import record_failure, record_success
from app.postgresql.url import DatabaseUrl, parse_database_url
from app.runtime import Runtime
from app.stores.postgres import Database
from app.wiring.stores import open_database

T = TypeVar("T")

_FACTS = text(
    """
    SELECT current_setting('server_version_num')::int / 10000 AS major,
        pg_size_bytes(current_setting('wal_segment_size')) AS segment_bytes,
        current_setting('archive_mode') <> 'off' AS archives,
        pg_is_in_recovery() AS is_standby,
        EXISTS (SELECT FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')) AS has_tablespaces,
        current_user::text AS role,
        EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolreplication OR rolsuper)) AS may_replicate
    """
)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself.

    Attributes:
        major: Its major version.
        segment_bytes: The size of a file of its write-ahead log.
        archives: Whether it archives its write-ahead log.
        is_standby: Whether it is a standby.
        has_tablespaces: Whether it has tablespaces of its own.
        role: The role of the connection.
        may_replicate: Whether the role may copy the cluster.
    """

    major: int
    segment_bytes: int
    archives: bool
    is_standby: bool
    has_tablespaces: bool
    role: str
    may_replicate: bool

    def require_base_backup(self) -> None:
        """Check that the cluster can be copied, and restored to any instant. Raises CommandError."""
        problems = {
            "DATABASE_URL must name the primary: backups of standbys are not supported": self.is_standby,
            f"the role {self.role} must have the attribute REPLICATION: ALTER ROLE {self.role} REPLICATION": (
                not self.may_replicate
            ),
            "archive_mode of PostgreSQL must be on, or a base backup cannot be restored to an instant; --only dump "
            "needs no archive": not self.archives,
            "clusters with tablespaces are not supported: use pgBackRest": self.has_tablespaces,
        }
        for problem, is_there in problems.items():
            if is_there:
                raise CommandError(problem)


class BackedUpServer:
    """The server of DATABASE_DIRECT_URL or DATABASE_URL."""

    def __init__(self, settings: Settings) -> None:
        given = settings.database_direct_url or str(settings.database_url)
        self._settings = settings.model_copy(update={"database_url": given, "db_pool_min": 1, "db_pool_max": 1})
        self.url: DatabaseUrl = parse_database_url(given)

    def facts(self) -> ServerFacts:
        """Read what it says of itself. Raises CommandError."""

        async def read(database: Database) -> ServerFacts:
            async with database.connect() as connection:
                return ServerFacts(*(await connection.execute(_FACTS)).one())

        return self._use(read)

    def time(self) -> datetime:
        """Return its time. Raises CommandError."""

        async def read(database: Database) -> datetime:
            async with database.connect() as connection:
                now: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
                return now

        return self._use(read)

    def record_success(self, kind: str, size: int) -> None:
        """Record in the database that a backup of `size` bytes is complete. Raises CommandError."""

        async def record(database: Database) -> None:
            async with database.begin() as connection:
                await record_success(connection, kind, size)

        self._use(record)

    def record_failure(self, kind: str) -> None:
        """Record in the database that a backup failed. Raises CommandError."""

        async def record(database: Database) -> None:
            async with database.begin() as connection:
                await record_failure(connection, kind)

        self._use(record)

    def _use(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def run() -> T:
            async with AsyncExitStack() as stack:
                return await work(open_database(self._settings, Runtime(), stack))

        with translate_store_errors("PostgreSQL", self._settings.database_url):
            try:
                return asyncio.run(run())
            except ServiceUnavailable as error:
                if isinstance(error.__cause__, Exception):
                    raise error.__cause__ from error
                raise CommandError(str(error)) from error
