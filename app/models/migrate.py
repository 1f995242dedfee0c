"""Migrations, run from the code: no alembic.ini, and the address is an argument."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

HERE = Path(__file__).resolve().parent
# In a checkout the scripts lie beside `app`; in a wheel they are shipped inside it.
SCRIPTS = next(path for path in (HERE.parent / "migrations", HERE.parents[1] / "migrations") if path.is_dir())


class UnknownRevision(Exception):
    """The database is at a revision that these migrations do not have. The message says what to do."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is at revision {revision}, which this version does not have: it was made before the first "
            "release (delete .data, or drop the database and create it anew), or by a newer version (run that one)"
        )


def config(database_url: str) -> Config:
    """Alembic's configuration for the database at `database_url` (`postgresql+asyncpg://…`)."""
    cfg = Config()
    cfg.set_main_option("script_location", str(SCRIPTS))
    cfg.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    cfg.set_main_option("file_template", "%%(rev)s")
    return cfg


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database up to `revision`. Must be called outside of a running event loop. Raises UnknownRevision."""
    command.upgrade(config(database_url), revision)


def downgrade(database_url: str, revision: str = "base") -> None:
    """Take the database down to `revision`. Data of tables that go is lost. Raises UnknownRevision."""
    command.downgrade(config(database_url), revision)


def revisions(database_url: str) -> tuple[str | None, str | None]:
    """The revision of the database (None: it has no tables), and the newest. Must be called outside of a running loop.

    Raises UnknownRevision, and what SQLAlchemy and asyncpg raise when the database does not answer within 10 s.
    """

    def present(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async def ask() -> str | None:
        engine = create_async_engine(database_url, poolclass=pool.NullPool, connect_args={"timeout": 10})
        async with engine.connect() as connection:
            return await connection.run_sync(present)

    found, scripts = asyncio.run(ask()), ScriptDirectory.from_config(config(database_url))
    check_revision(found, scripts)
    return found, scripts.get_current_head()


def check_revision(revision: str | None, scripts: ScriptDirectory) -> None:
    """Raise UnknownRevision unless `revision` is one of `scripts`, or None.

    Alembic itself takes `0001` for `0001_baseline`, since it completes what is unambiguous.
    """
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise UnknownRevision(revision)


def revision(database_url: str, message: str) -> None:
    """Write the next migration from the difference between the models and the database at `database_url`.

    Its name is a number and the beginning of `message`, in the 32 characters that Alembic's table has for it.
    """
    number = len(list(SCRIPTS.glob("versions/[0-9]*.py"))) + 1
    name = f"{number:04d}_{re.sub('[^a-z0-9]+', '_', message.lower())}"[:32].strip("_")
    command.revision(config(database_url), message, autogenerate=True, rev_id=name)
