"""Migrations, run by Alembic without an alembic.ini: the address of the database is an argument."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool, text
from sqlalchemy.exc import DBAPIError

from app.postgresql.connector import create_engine

_HERE = Path(__file__).resolve().parent
# In a checkout the scripts are next to `app`; in a wheel they are inside it.
SCRIPTS_FOLDER = next(path for path in (_HERE.parent / "migrations", _HERE.parents[1] / "migrations") if path.is_dir())

MAX_LOCK_ATTEMPTS = 30
"""How often a migration is tried that does not get its locks within the lock timeout of migrations/env.py."""

_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"

_TABLE_EXISTS = text("SELECT to_regclass('schema_revisions') IS NOT NULL")
_APPLIED = text("SELECT revision, compatible_with FROM schema_revisions")


def is_described_by_models(name: str | None, kind: str, parent_names: Mapping[str, str | None]) -> bool:
    """Return whether models describe a table: the partitions of the ledger are made by migrations and by a job."""
    return kind != "table" or name is None or not name.startswith("score_transactions_")


class UnknownRevision(Exception):
    """The database is at a revision that is not among the migrations of this version. The message says what to do."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is at revision {revision}, which this version does not have: it was made before the first "
            "release (delete .data, or drop the database and create it anew), or by a newer version that is not "
            "compatible with this one (run that one)"
        )


class MigrationBlocked(Exception):
    """A migration did not get its locks. The message is one line."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revision of a database, and the newest one of this version.

    Attributes:
        current: The revision of the database; None if it has no tables.
        newest: The newest revision of this version.
        is_newer: Whether the database was migrated by a newer version that is compatible with this one.
    """

    current: str | None
    newest: str | None
    is_newer: bool

    @property
    def are_compatible(self) -> bool:
        """Whether this version can use the database as it is."""
        return self.is_newer or self.current == self.newest


def alembic_config(database_url: str) -> Config:
    """Return Alembic's configuration for the database at `database_url`."""
    cfg = Config()
    cfg.set_main_option("script_location", str(SCRIPTS_FOLDER))
    cfg.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    cfg.set_main_option("file_template", "%%(rev)s")
    return cfg


def upgrade(database_url: str, revision: str = "head") -> None:
    """Upgrade the database to `revision`, unless a newer version has migrated it further already.

    Each migration is a transaction of its own. It waits for its locks only for a moment, as everything else waits
    behind it, and is tried again. Must not be called in a running event loop.

    Raises:
        UnknownRevision: The database is at a revision that this version neither has nor is compatible with.
        MigrationBlocked: A migration did not get its locks.
    """
    if not read_revisions(database_url).is_newer:
        _retry_while_blocked(lambda: command.upgrade(alembic_config(database_url), revision))


def downgrade(database_url: str, revision: str = "base") -> None:
    """Downgrade the database to `revision`; the data of tables that are dropped is lost.

    Must not be called in a running event loop.

    Raises:
        UnknownRevision: The database is at a revision that is not among the migrations.
        MigrationBlocked: A migration did not get its locks.
    """
    _retry_while_blocked(lambda: command.downgrade(alembic_config(database_url), revision))


def read_revisions(database_url: str) -> Revisions:
    """Read the revision of the database. Must not be called in a running event loop.

    Raises:
        UnknownRevision: The database is at a revision that this version neither has nor is compatible with.
        SQLAlchemyError, asyncpg.PostgresError, OSError, TimeoutError: The database did not answer within 10 s.
    """
    scripts = ScriptDirectory.from_config(alembic_config(database_url))

    def read(connection: Connection) -> Revisions:
        current = MigrationContext.configure(connection).get_current_revision()
        return Revisions(current, scripts.get_current_head(), _is_newer(current, scripts, connection))

    async def ask() -> Revisions:
        engine = create_engine(database_url, poolclass=pool.NullPool)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(read)
        finally:
            await engine.dispose()

    return asyncio.run(ask())


def check_revision(revision: str | None, scripts: ScriptDirectory) -> None:
    """Raise UnknownRevision unless `revision` is one of `scripts`, or None.

    Alembic alone would accept `0001` for `0001_baseline`, since it completes unambiguous prefixes.
    """
    if revision is not None and revision not in _known(scripts):
        raise UnknownRevision(revision)


def create_revision(database_url: str, message: str) -> None:
    """Write the next migration from the difference between the models and the database at `database_url`.

    Its id is a number and the beginning of `message`, cut to the 32 characters of the column in Alembic's table.
    """
    number = len(list(SCRIPTS_FOLDER.glob("versions/[0-9]*.py"))) + 1
    name = f"{number:04d}_{re.sub('[^a-z0-9]+', '_', message.lower())}"[:32].strip("_")
    command.revision(alembic_config(database_url), message, autogenerate=True, rev_id=name)


def _is_newer(revision: str | None, scripts: ScriptDirectory, connection: Connection) -> bool:
    """Return whether a newer, compatible version has migrated the database. Raises UnknownRevision."""
    known = _known(scripts)
    if revision is None or revision in known:
        return False
    applied: dict[str, str] = {}
    if connection.execute(_TABLE_EXISTS).scalar_one():
        applied = {row.revision: row.compatible_with for row in connection.execute(_APPLIED)}
    later = [compatible_with for applied_revision, compatible_with in applied.items() if applied_revision not in known]
    if revision not in applied or not known.issuperset(later):
        raise UnknownRevision(revision)
    return True


def _known(scripts: ScriptDirectory) -> set[str]:
    return {script.revision for script in scripts.walk_revisions()}


def _retry_while_blocked(migrate: Callable[[], None]) -> None:
    for attempt in range(MAX_LOCK_ATTEMPTS):
        try:
            return migrate()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
                raise
            if attempt == MAX_LOCK_ATTEMPTS - 1:
                raise MigrationBlocked(
                    f"a migration did not get its locks in {MAX_LOCK_ATTEMPTS} attempts: end the long transactions "
                    "(see pg_stat_activity), and run it again"
                ) from error
        time.sleep(random.uniform(0.2, 1.0))
    return None
