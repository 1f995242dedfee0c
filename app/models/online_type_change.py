"""Change the types of columns while the service reads and writes the table.

`ALTER COLUMN … TYPE` would rewrite the table under a lock. Instead, a column of the new type is added beside each, a
trigger keeps it equal to the old one, and the rows that were there before are filled in pages. The indexes and checks
of the old columns are made for the new ones. In the end the old columns are dropped and the new ones get their names,
which takes a moment, as it changes the catalogue of PostgreSQL only. New columns are the last ones of the table.

What is done before the end is not part of the migration's transaction. A migration that was interrupted begins again
and goes on with the rows that are left. Through a pooler only small tables can be changed, as in a new database: by the
same steps, but within the transaction.
"""

# ruff: noqa: S608 - names of tables and columns, which migrations give

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from alembic import op
from sqlalchemy import Connection, Row, text

from app.models.online_ddl import MAX_SMALL_PAGES, count_pages, outside_of_transaction, without_lock_timeout
from app.postgresql.connector import has_pooler

PAGES_PER_BATCH = 200
"""Pages of 8 KiB whose rows are filled in one statement: these rows are locked meanwhile."""

_LEAVES = text(
    """
    WITH RECURSIVE tree AS (
        SELECT to_regclass(:table)::oid AS relid
        UNION ALL SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = relid
    )
    SELECT relid::regclass::text FROM tree JOIN pg_class ON oid = relid WHERE relkind = 'r' ORDER BY 1
    """
)
_COLUMNS = text(
    """
    SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
           col_description(attrelid, attnum) AS comment
    FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attname = ANY(:columns) AND NOT attisdropped
    """
)
_CHECKS = text(
    """
    SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE conrelid = to_regclass(:table) AND contype = 'c' AND conkey && (
        SELECT array_agg(attnum) FROM pg_attribute WHERE attrelid = conrelid AND attname = ANY(:columns)
    )
    ORDER BY conname
    """
)
_INDEXES = text(
    """
    SELECT relname AS name, indisprimary AS is_primary, indisunique AS is_unique,
           pg_get_indexdef(indexrelid) AS statement
    FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = to_regclass(:table) ORDER BY relname
    """
)
_IS_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)")


@dataclass(frozen=True, slots=True)
class _Index:
    """An index of one of the columns. `definition` is what follows the name of the table, for the new columns."""

    name: str
    is_primary: bool
    create: str
    definition: str


def change_types(table: str, types: Mapping[str, str]) -> None:
    """Change the types of columns of a table that is in use, which may be partitioned.

    Args:
        table: The table.
        types: The new type by column, as PostgreSQL spells it. It must have all values of the old type.

    Raises:
        DirectConnectionRequired: There is a pooler, and the table is not small.
    """
    rows = op.get_bind().execute(_COLUMNS, {"table": table, "columns": list(types)})
    present = {row.name: row for row in rows}
    # Columns that were changed before a later part of the migration failed are left as they are.
    columns = [present[name] for name, type_ in types.items() if present[name].type != type_]
    if columns:
        _TypeChange(table, columns, types).run()


class _TypeChange:
    """The change of one table."""

    def __init__(self, table: str, columns: Sequence[Row[Any]], types: Mapping[str, str]) -> None:
        self._table = table
        self._columns = columns
        self._names = [column.name for column in columns]
        self._types = types
        self._mentions = re.compile(rf"\b({'|'.join(self._names)})\b")
        self._function = f"{table}_change_types"
        self._in_transaction = False

    def run(self) -> None:
        """Change the types."""
        bind = op.get_bind()
        is_small = sum(count_pages(bind, leaf) for leaf in self._leaves(bind)) <= MAX_SMALL_PAGES
        self._in_transaction = is_small and has_pooler(bind)
        with nullcontext(bind) if self._in_transaction else outside_of_transaction() as connection:
            checks = connection.execute(_CHECKS, {"table": self._table, "columns": self._names}).all()
            self._add_columns(connection)
            for leaf in self._leaves(connection):
                self._fill(connection, leaf)
            self._add_checks(connection, checks)
            indexes = self._indexes(connection)
            parts = [part for index in indexes for part in self._create_index(connection, index)]
        self._replace_columns(op.get_bind(), [check.name for check in checks], indexes, parts)

    def _add_columns(self, connection: Connection) -> None:
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS {_new(name)} {self._types[name]}" for name in self._names)
        connection.exec_driver_sql(f"ALTER TABLE {self._table} {added}")
        copied = " ".join(f"NEW.{_new(name)} := NEW.{name};" for name in self._names)
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {self._function}() RETURNS trigger LANGUAGE plpgsql "
            f"AS $$ BEGIN {copied} RETURN NEW; END $$"
        )
        connection.exec_driver_sql(
            f"CREATE OR REPLACE TRIGGER change_types BEFORE INSERT OR UPDATE ON {self._table} "
            f"FOR EACH ROW EXECUTE FUNCTION {self._function}()"
        )

    def _leaves(self, connection: Connection) -> Sequence[str]:
        """Return the partitions that have rows, or the table itself without partitions."""
        return connection.execute(_LEAVES, {"table": self._table}).scalars().all()

    def _fill(self, connection: Connection, leaf: str) -> None:
        """Fill the new columns by the trigger. Rows that others have locked are left for the end."""
        update = f"UPDATE {leaf} SET {self._names[0]} = {self._names[0]} WHERE"
        unfilled = " OR ".join(f"({_new(name)} IS NULL AND {name} IS NOT NULL)" for name in self._names)
        fill_pages = text(
            f"""
            {update} ctid = ANY(ARRAY(
                SELECT ctid FROM {leaf}
                WHERE ctid >= CAST(CAST(:first AS text) AS tid) AND ctid < CAST(CAST(:end AS text) AS tid)
                  AND ({unfilled})
                FOR UPDATE SKIP LOCKED
            ))
            """
        )
        for page in range(0, count_pages(connection, leaf), PAGES_PER_BATCH):
            connection.execute(fill_pages, {"first": f"({page},0)", "end": f"({page + PAGES_PER_BATCH},0)"})
        connection.exec_driver_sql(f"{update} {unfilled}")

    def _add_checks(self, connection: Connection, checks: Sequence[Row[Any]]) -> None:
        """Add the checks of the new columns, at first without looking at the rows, which would block writers."""
        wanted = {_new(check.name): self._renamed(check.definition) for check in checks}
        for column in self._columns:
            if column.required:
                wanted[_not_null(column.name)] = f"CHECK ({_new(column.name)} IS NOT NULL)"
        for name, definition in wanted.items():
            connection.exec_driver_sql(
                f"ALTER TABLE {self._table} DROP CONSTRAINT IF EXISTS {name}, "
                f"ADD CONSTRAINT {name} {definition} NOT VALID"
            )
            connection.exec_driver_sql(f"ALTER TABLE {self._table} VALIDATE CONSTRAINT {name}")

    def _indexes(self, connection: Connection) -> list[_Index]:
        """Return the indexes that have one of the columns."""
        found = []
        for row in connection.execute(_INDEXES, {"table": self._table}):
            _, using, definition = row.statement.partition(" USING ")
            if self._mentions.search(definition):
                create = "CREATE UNIQUE INDEX" if row.is_unique else "CREATE INDEX"
                found.append(_Index(row.name, row.is_primary, create, using + self._renamed(definition)))
        return found

    def _create_index(self, connection: Connection, index: _Index) -> list[str]:
        """Create an index on the new columns; return the names of its parts in partitions, which have `new_`, too."""
        name, leaves = _new(index.name), self._leaves(connection)
        if leaves == [self._table]:
            self._create_on_table(connection, name, self._table, index)
            return []
        # An index of a partitioned table cannot be created concurrently, but those of its partitions can.
        connection.exec_driver_sql(f"{index.create} IF NOT EXISTS {name} ON ONLY {self._table}{index.definition}")
        parts = [f"{leaf}_{index.name.removeprefix(f'ix_{self._table}_')}" for leaf in leaves]
        for leaf, part in zip(leaves, parts, strict=True):
            self._create_on_table(connection, _new(part), leaf, index)
            connection.exec_driver_sql(f"ALTER INDEX {name} ATTACH PARTITION {_new(part)}")
        return parts

    def _create_on_table(self, connection: Connection, name: str, table: str, index: _Index) -> None:
        valid = connection.execute(_IS_VALID, {"index": name}).scalar_one_or_none()
        concurrently = "" if self._in_transaction else "CONCURRENTLY"
        with nullcontext() if self._in_transaction else without_lock_timeout(connection):
            if valid is False:
                connection.exec_driver_sql(f"DROP INDEX {concurrently} {name}")
            if not valid:
                connection.exec_driver_sql(f"{index.create} {concurrently} {name} ON {table}{index.definition}")

    def _replace_columns(
        self, connection: Connection, checks: Sequence[str], indexes: Sequence[_Index], parts: Sequence[str]
    ) -> None:
        """Drop the old columns, with their indexes and checks, and rename the new ones."""
        table, execute = f"ALTER TABLE {self._table}", connection.exec_driver_sql
        execute(f"DROP TRIGGER change_types ON {self._table}")
        execute(f"DROP FUNCTION {self._function}()")
        execute(f"{table} {', '.join(f'DROP COLUMN {name}' for name in self._names)}")
        for column in self._columns:
            name = column.name
            execute(f"{table} RENAME COLUMN {_new(name)} TO {name}")
            if column.required:  # The check spares PostgreSQL a look at the rows.
                execute(f"{table} ALTER COLUMN {name} SET NOT NULL")
                execute(f"{table} DROP CONSTRAINT {_not_null(name)}")
            if column.comment is not None:
                comment = column.comment.replace("'", "''")
                execute(f"COMMENT ON COLUMN {self._table}.{name} IS '{comment}'")
        for name in checks:
            execute(f"{table} RENAME CONSTRAINT {_new(name)} TO {name}")
        for name in [*(index.name for index in indexes), *parts]:
            execute(f"ALTER INDEX {_new(name)} RENAME TO {name}")
        for index in indexes:
            if index.is_primary:
                execute(f"{table} ADD CONSTRAINT {index.name} PRIMARY KEY USING INDEX {index.name}")

    def _renamed(self, definition: str) -> str:
        return self._mentions.sub(lambda found: _new(found[0]), definition)


def _new(name: str) -> str:
    """Return the temporary name of the column, check or index that gets this name in the end."""
    return f"new_{name}"


def _not_null(column: str) -> str:
    return f"new_{column}_not_null"
