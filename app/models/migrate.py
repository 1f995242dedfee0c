"""Migrations, run by Alembic without an alembic.ini: the address of the database is an argument."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from app.models import revisions
from app.models.revisions import MigrationBlocked, read_revisions

MAX_LOCK_ATTEMPTS = 30
"""How often a migration is tried that does not get its locks within the lock timeout of migrations/env.py."""

_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"


def is_described_by_models(name: str | None, kind: str, parent_names: Mapping[str, str | None]) -> bool:
    """Return whether models describe a table: partitions are made by migrations and by jobs."""
    return kind != "table" or name is None or not name.startswith(("score_transactions_", "events_"))


def alembic_config(database_url: str) -> Config:
    """Return Alembic's configuration for the database at `database_url`."""
    cfg = Config()
    cfg.set_main_option("script_location", str(revisions.SCRIPTS_FOLDER))
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


def create_revision(database_url: str, message: str) -> None:
    """Write the next migration from the difference between the models and the database at `database_url`.

    Its id is a number and the beginning of `message`, cut to the 32 characters of the column in Alembic's table.
    """
    number = len(list(revisions.SCRIPTS_FOLDER.glob("versions/[0-9]*.py"))) + 1
    name = f"{number:04d}_{re.sub('[^a-z0-9]+', '_', message.lower())}"[:32].strip("_")
    command.revision(alembic_config(database_url), message, autogenerate=True, rev_id=name)


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
