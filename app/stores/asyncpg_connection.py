"""Direct use of the driver's connection, for the few statements whose cost would mostly be that of SQLAlchemy."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from time import perf_counter
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.postgresql.connector import Connector
from app.stores.connection_reuse import READ_ONLY, is_server_trouble
from app.stores.statement_spans import operation_of, statement_attributes
from app.telemetry.tracing import current_tracer, span

T = TypeVar("T")

PROBE = text("SELECT 1")
"""A statement that fails on a lost connection."""

_dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class DriverConnection:
    """Runs textual statements on a connection of SQLAlchemy's pool, and fails with SQLAlchemy's exceptions.

    Outside of `transaction` every statement is a transaction of its own. A connection that is lost, or has an
    operation that is not completed, is not returned to the pool.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        connector: Connector,
        observe: Callable[[str, float], None] = lambda _statement, _seconds: None,
    ) -> None:
        """Wrap `connection`, which must be open and not be used for anything else meanwhile.

        Args:
            connection: The connection.
            connector: What has opened it.
            observe: Called with each statement that succeeds, and how many seconds it took.
        """
        self._connector = connector
        self._observe = observe
        assert connection.sync_connection is not None
        self._connection = connection
        self._pooled = connection.sync_connection.connection
        self._driver: Any = self._pooled.driver_connection

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """Execute `statement` and return its rows as named tuples."""
        if self._connector.has_pooler and not self._driver.is_in_transaction():
            # Preparing and executing are two messages, which would reach two sessions.
            async with self.transaction():
                return await self.execute(statement, parameters)
        sql, names = _compiled(statement)
        started = perf_counter()
        with span(operation_of(sql), statement_attributes(sql) if current_tracer() else {}, is_call=True):
            records = await self._run(self._driver.fetch(sql, *[parameters[name] for name in names]))
        self._observe(sql, perf_counter() - started)
        return list(map(_row_type(tuple(records[0].keys())), records)) if records else ()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run the block in a transaction, which is committed at its end, or rolled back by an exception.

        If the connection fails during the commit, it is unknown whether the transaction was committed. Transactions do
        not nest.

        Raises:
            RuntimeError: A transaction has already begun.
        """
        if self._driver.is_in_transaction():
            raise RuntimeError("a transaction must not begin within another one")
        try:
            await self._run(self._driver.execute(self._connector.begin))
            yield
            tag = await self._run(self._driver.execute("COMMIT"))
        except BaseException:
            await self._roll_back()
            raise
        if tag != "COMMIT":  # PostgreSQL answers ROLLBACK if a statement had failed and the block ignored that.
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
                self._discard()  # The statement may still be executed, and a request to cancel it is under way.
            if isinstance(error, asyncpg.PostgresError):
                kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
                raise kind(None, None, error, connection_invalidated=self._driver.is_closed()) from error
            raise
        except BaseException:
            self._discard()  # Cancelled: the result that is still to come would be read by the next statement.
            raise

    def _discard(self) -> None:
        if self._pooled.is_valid:
            self._pooled.invalidate()

    async def _discard_all(self) -> None:
        """Make SQLAlchemy notice that the connection is lost, so that it discards all connections of the same age."""
        self._driver.terminate()
        with suppress(DBAPIError):
            await self._connection.execute(PROBE)


@lru_cache(maxsize=64)
def _compiled(statement: TextClause) -> tuple[str, Sequence[str]]:
    """Return the statement in the driver's syntax, and the names of its parameters in order."""
    compiled: Any = statement.compile(dialect=_dialect)
    return compiled.string, tuple(compiled.positiontup or ())


@lru_cache(maxsize=64)
def _row_type(columns: tuple[str, ...]) -> Callable[[Iterable[Any]], Any]:
    row: Any = namedtuple("Row", columns, rename=True)  # type: ignore[misc]
    make: Callable[[Iterable[Any]], Any] = row._make
    return make
