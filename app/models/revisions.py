"""The revision of a database, compared with the migrations of this version.

Every start of the service checks it, so this module reads the scripts as text and does not import Alembic, which would
stay in memory and which only the migrations themselves need.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import pool, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.postgresql.connector import create_engine

_HERE = Path(__file__).resolve().parent
# In a checkout the scripts are next to `app`; in a wheel they are inside it.
SCRIPTS_FOLDER = next(path for path in (_HERE.parent / "migrations", _HERE.parents[1] / "migrations") if path.is_dir())

_REVISION = re.compile(r"""^revision = ["'](\w+)["']$""", re.MULTILINE)
_DOWN_REVISION = re.compile(r"""^down_revision = (?:["'](\w+)["']|None)$""", re.MULTILINE)

_TABLE_EXISTS = text("SELECT to_regclass(:name) IS NOT NULL")
_CURRENT = text("SELECT version_num FROM alembic_version")
_APPLIED = text("SELECT revision, compatible_with FROM schema_revisions")


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


class DirectConnectionRequired(Exception):
    """A step of a migration cannot be done through a pooler. The message is one line."""

    def __init__(self) -> None:
        super().__init__("indexes cannot be created through a pooler: set DATABASE_DIRECT_URL to the URL of PostgreSQL")


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revision of a database, and the newest one of this version.

    Attributes:
        current: The revision of the database; None if it has no tables.
        newest: The newest revision of this version.
        is_newer: Whether the database was migrated by a newer version that is compatible with this one.
    """

    current: str | None
    newest: str
    is_newer: bool

    @property
    def are_compatible(self) -> bool:
        """Whether this version can use the database as it is."""
        return self.is_newer or self.current == self.newest


def read_revisions(database_url: str) -> Revisions:
    """Call `fetch_revisions` without a running event loop."""
    return asyncio.run(fetch_revisions(database_url))


async def fetch_revisions(database_url: str) -> Revisions:
    """Read the revision of the database.

    Raises:
        UnknownRevision: The database is at a revision that this version neither has nor is compatible with.
        SQLAlchemyError, asyncpg.PostgresError, OSError, TimeoutError: The database did not answer within 10 s.
    """
    scripts = read_scripts()
    (newest,) = (revision for revision in scripts if revision not in scripts.values())

    engine = create_engine(database_url, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            current = None
            if await _exists(connection, "alembic_version"):
                current = (await connection.execute(_CURRENT)).scalar_one_or_none()
            return Revisions(current, newest, await _is_newer(current, set(scripts), connection))
    finally:
        await engine.dispose()


def read_scripts() -> dict[str, str | None]:
    """Return the revisions of the migrations of this version, each with the one that it follows."""
    followed: dict[str, str | None] = {}
    for path in SCRIPTS_FOLDER.glob("versions/*.py"):
        script = path.read_text(encoding="utf-8")
        revision, down_revision = _REVISION.search(script), _DOWN_REVISION.search(script)
        if revision is None or down_revision is None:
            raise ValueError(f"{path} must assign a string to revision, and a string or None to down_revision")
        followed[revision[1]] = down_revision[1]
    return followed


def check_revision(revision: str | None) -> None:
    """Raise UnknownRevision unless `revision` is one of the migrations, or None.

    Alembic alone would accept `0001` for `0001_baseline`, since it completes unambiguous prefixes.
    """
    if revision is not None and revision not in read_scripts():
        raise UnknownRevision(revision)


async def _is_newer(revision: str | None, known: set[str], connection: AsyncConnection) -> bool:
    """Return whether a newer, compatible version has migrated the database. Raises UnknownRevision."""
    if revision is None or revision in known:
        return False
    applied: dict[str, str] = {}
    if await _exists(connection, "schema_revisions"):
        applied = {row.revision: row.compatible_with for row in await connection.execute(_APPLIED)}
    later = [compatible_with for applied_revision, compatible_with in applied.items() if applied_revision not in known]
    if revision not in applied or not known.issuperset(later):
        raise UnknownRevision(revision)
    return True


async def _exists(connection: AsyncConnection, table: str) -> bool:
    return bool((await connection.execute(_TABLE_EXISTS, {"name": table})).scalar_one())
