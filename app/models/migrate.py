"""Migrations, run by Alembic without an alembic.ini: the address of the database is an argument."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool

from app.postgresql.connector import create_engine

_HERE = Path(__file__).resolve().parent
# In a checkout the scripts are next to `app`; in a wheel they are inside it.
SCRIPTS_FOLDER = next(path for path in (_HERE.parent / "migrations", _HERE.parents[1] / "migrations") if path.is_dir())


class UnknownRevision(Exception):
    """The database is at a revision that is not among the migrations of this version. The message says what to do."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is at revision {revision}, which this version does not have: it was made before the first "
            "release (delete .data, or drop the database and create it anew), or by a newer version (run that one)"
        )


def alembic_config(database_url: str) -> Config:
    """Return Alembic's configuration for the database at `database_url` (`postgresql+asyncpg://…`)."""
    cfg = Config()
    cfg.set_main_option("script_location", str(SCRIPTS_FOLDER))
    cfg.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    cfg.set_main_option("file_template", "%%(rev)s")
    return cfg


def upgrade(database_url: str, revision: str = "head") -> None:
    """Upgrade the database to `revision`. Must not be called in a running event loop.

    Raises:
        UnknownRevision: The database is at a revision that is not among the migrations.
    """
    command.upgrade(alembic_config(database_url), revision)


def downgrade(database_url: str, revision: str = "base") -> None:
    """Downgrade the database to `revision`; the data of tables that are dropped is lost.

    Must not be called in a running event loop.

    Raises:
        UnknownRevision: The database is at a revision that is not among the migrations.
    """
    command.downgrade(alembic_config(database_url), revision)


def read_revisions(database_url: str) -> tuple[str | None, str | None]:
    """Return the revision of the database, and the newest revision. Must not be called in a running event loop.

    Returns:
        The revision of the database, None if it has no tables; then the newest of the migrations.

    Raises:
        UnknownRevision: The database is at a revision that is not among the migrations.
        SQLAlchemyError, OSError, TimeoutError: The database did not answer within 10 s.
    """

    def current(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async def ask() -> str | None:
        engine = create_engine(database_url, poolclass=pool.NullPool)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(current)
        finally:
            await engine.dispose()

    found, scripts = asyncio.run(ask()), ScriptDirectory.from_config(alembic_config(database_url))
    check_revision(found, scripts)
    return found, scripts.get_current_head()


def check_revision(revision: str | None, scripts: ScriptDirectory) -> None:
    """Raise UnknownRevision unless `revision` is one of `scripts`, or None.

    Alembic alone would accept `0001` for `0001_baseline`, since it completes unambiguous prefixes.
    """
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise UnknownRevision(revision)


def create_revision(database_url: str, message: str) -> None:
    """Write the next migration from the difference between the models and the database at `database_url`.

    Its id is a number and the beginning of `message`, cut to the 32 characters of the column in Alembic's table.
    """
    number = len(list(SCRIPTS_FOLDER.glob("versions/[0-9]*.py"))) + 1
    name = f"{number:04d}_{re.sub('[^a-z0-9]+', '_', message.lower())}"[:32].strip("_")
    command.revision(alembic_config(database_url), message, autogenerate=True, rev_id=name)
