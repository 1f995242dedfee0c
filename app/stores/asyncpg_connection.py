"""The driver's own connection, for the few statements that run so often that SQLAlchemy's part costs most of them."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.stores.connection_reuse import READ_ONLY, is_server_trouble

T = TypeVar("T")

PROBE = text("SELECT 1")

_dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class DriverConnection:
    """Runs textual statements on a connection of SQLAlchemy's pool, and fails with SQLAlchemy's exceptions.

    Outside of `transaction` every statement is a transaction of its own. A connection that is lost, or left in the
    middle of something, does not go back into the pool.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        """`connection` is open, and used by nobody else."""
        assert connection.sync_connection is not None
        self._connection = connection
        self._lent = connection.sync_connection.connection
        self._driver: Any = self._lent.driver_connection

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """The rows that `statement` returns, as named tuples."""
        sql, names = _compiled(statement)
        records = await self._run(self._driver.fetch(sql, *[parameters[name] for name in names]))
        return list(map(_row_type(tuple(records[0].keys())), records)) if records else ()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A transaction that is committed at the end of the block, or rolled back by an exception.

        When the answer to the commit is lost, nobody knows whether it was carried out. Transactions do not nest.
        """
        if self._driver.is_in_transaction():
            raise RuntimeError("a transaction must not begin within another one")
        try:
            await self._run(self._driver.execute("BEGIN"))
            yield
            done = await self._run(self._driver.execute("COMMIT"))
        except BaseException:
            await self._roll_back()
            raise
        if done != "COMMIT":  # So PostgreSQL answers when a statement had failed and the block went on regardless.
            failed = asyncpg.InFailedSQLTransactionError("the transaction was rolled back, as a statement in it failed")
            raise DBAPIError(None, None, failed)

    async def _roll_back(self) -> None:
        if self._driver.is_closed() or not self._driver.is_in_transaction():
            return
        try:
            await self._driver.execute("ROLLBACK")
        except BaseException as error:
            self._discard()
            if not isinstance(error, Exception):
                raise

    async def _run(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except Exception as error:
            sqlstate = getattr(error, "sqlstate", None)
            if self._driver.is_closed() or sqlstate == READ_ONLY:
                await self._discard_all()
            elif isinstance(error, (TimeoutError, asyncpg.InternalClientError)) or is_server_trouble(sqlstate):
                self._discard()  # What was sent may yet be carried out, and a request to cancel it is under way.
            if isinstance(error, asyncpg.PostgresError):
                kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
                raise kind(None, None, error, connection_invalidated=self._driver.is_closed()) from error
            raise
        except BaseException:
            self._discard()  # Cancelled: nobody waits for the answer that is still to come.
            raise

    def _discard(self) -> None:
        if self._lent.is_valid:
            self._lent.invalidate()

    async def _discard_all(self) -> None:
        """Let SQLAlchemy see for itself that the connection is lost: it forgets all that are as old as this one."""
        self._driver.terminate()
        with suppress(DBAPIError):
            await self._connection.execute(PROBE)


@lru_cache(maxsize=64)
def _compiled(statement: TextClause) -> tuple[str, Sequence[str]]:
    """The statement in the driver's words, and the names of its parameters in their order."""
    compiled: Any = statement.compile(dialect=_dialect)
    return compiled.string, tuple(compiled.positiontup or ())


@lru_cache(maxsize=64)
def _row_type(columns: tuple[str, ...]) -> Callable[[Iterable[Any]], Any]:
    row: Any = namedtuple("Row", columns, rename=True)  # type: ignore[misc]
    make: Callable[[Iterable[Any]], Any] = row._make
    return make
