"""Steps of migrations that do not block the service while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op
from sqlalchemy import Connection, text

from app.models.revisions import DirectConnectionRequired
from app.postgresql.connector import has_pooler

_INVALID = text(
    """
    SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relkind = 'i' AND relnamespace = current_schema()::regnamespace
    ORDER BY relname
    """
)
_PAGES = text("SELECT pg_relation_size(to_regclass(:table)) / current_setting('block_size')::int")

MAX_SMALL_PAGES = 100
"""A table of up to so many pages of 8 KiB is small: it may be locked for as long as the steps take."""


def count_pages(connection: Connection, table: str) -> int:
    """Return the size of a table in pages."""
    pages: int = connection.execute(_PAGES, {"table": table}).scalar_one()
    return pages


def create_index_concurrently(name: str, table: str, columns: Sequence[Any], **options: Any) -> None:
    """Create an index on a table that is in use; one that an earlier attempt has left unfinished is replaced.

    It is not part of the migration's transaction: what comes before it in the migration is committed. Through a pooler
    an index of a small table is created within the transaction.

    Raises:
        DirectConnectionRequired: There is a pooler, and the table is not small.
    """
    bind = op.get_bind()
    if has_pooler(bind) and count_pages(bind, table) <= MAX_SMALL_PAGES:
        op.create_index(name, table, columns, if_not_exists=True, **options)
        return
    with outside_of_transaction() as connection, without_lock_timeout(connection):
        if name in connection.execute(_INVALID).scalars().all():
            connection.exec_driver_sql(f'DROP INDEX CONCURRENTLY "{name}"')
        op.create_index(name, table, columns, postgresql_concurrently=True, if_not_exists=True, **options)


def drop_index_concurrently(name: str) -> None:
    """Drop an index of a table that is in use; through a pooler within the transaction, which takes a moment."""
    if has_pooler(op.get_bind()):
        op.drop_index(name, if_exists=True)
        return
    with outside_of_transaction() as connection, without_lock_timeout(connection):
        op.drop_index(name, postgresql_concurrently=True, if_exists=True)


def repair_indexes(connection: Connection) -> list[str]:
    """Rebuild the indexes that are invalid as their creation was interrupted, and return their names.

    The connection must be in autocommit mode, and lead to PostgreSQL without a pooler.
    """
    names = list(connection.execute(_INVALID).scalars())
    with without_lock_timeout(connection):
        for name in names:
            # Copies that an interrupted REINDEX has left are of no use.
            is_copy = "_ccnew" in name or "_ccold" in name
            connection.exec_driver_sql(f'{"DROP" if is_copy else "REINDEX"} INDEX CONCURRENTLY "{name}"')
    return names


@contextmanager
def outside_of_transaction() -> Iterator[Connection]:
    """Commit the migration's transaction so far, and yield its connection in autocommit mode.

    Raises:
        DirectConnectionRequired: There is a pooler.
    """
    if has_pooler(op.get_bind()):
        raise DirectConnectionRequired
    with op.get_context().autocommit_block():
        yield op.get_bind()


@contextmanager
def without_lock_timeout(connection: Connection) -> Iterator[None]:
    """Let statements wait for locks without a limit.

    It is for those that block nobody, such as CREATE INDEX CONCURRENTLY, of which a time-out leaves an invalid index.
    """
    before = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    connection.exec_driver_sql("SET lock_timeout = 0")
    yield
    connection.exec_driver_sql(f"SET lock_timeout = '{before}'")
