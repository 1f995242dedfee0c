"""Steps of migrations that do not block the service while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic import op
from sqlalchemy import Connection, text

from app.postgresql.connector import has_pooler

_INVALID = text(
    """
    SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relkind = 'i' AND relnamespace = current_schema()::regnamespace
    ORDER BY relname
    """
)


class DirectConnectionRequired(Exception):
    """A step cannot be done through a pooler. The message is one line."""

    def __init__(self) -> None:
        super().__init__("indexes cannot be created through a pooler: set DATABASE_DIRECT_URL to the URL of PostgreSQL")


def create_index_concurrently(name: str, table: str, columns: Sequence[Any], **options: Any) -> None:
    """Create an index on a table that is in use; one that an earlier attempt has left unfinished is replaced.

    It is not part of the migration's transaction: what comes before it in the migration is committed.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        _prepare(connection)
        if name in connection.execute(_INVALID).scalars().all():
            connection.exec_driver_sql(f'DROP INDEX CONCURRENTLY "{name}"')
        op.create_index(name, table, columns, postgresql_concurrently=True, if_not_exists=True, **options)
        connection.exec_driver_sql("RESET lock_timeout")


def drop_index_concurrently(name: str) -> None:
    """Drop an index of a table that is in use."""
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        _prepare(connection)
        op.drop_index(name, postgresql_concurrently=True, if_exists=True)
        connection.exec_driver_sql("RESET lock_timeout")


def repair_indexes(connection: Connection) -> list[str]:
    """Rebuild the indexes that are invalid as their creation was interrupted, and return their names.

    The connection must be in autocommit mode.
    """
    names = list(connection.execute(_INVALID).scalars())
    if names:
        _prepare(connection)
    for name in names:
        # Copies that an interrupted REINDEX has left are of no use.
        is_copy = "_ccnew" in name or "_ccold" in name
        connection.exec_driver_sql(f'{"DROP" if is_copy else "REINDEX"} INDEX CONCURRENTLY "{name}"')
    return names


def _prepare(connection: Connection) -> None:
    """Let the next statements wait for locks without a limit: they block nobody, and a time-out would leave them undone.

    Raises:
        DirectConnectionRequired: There is a pooler.
    """
    if has_pooler(connection):
        raise DirectConnectionRequired
    connection.exec_driver_sql("SET lock_timeout = 0")
