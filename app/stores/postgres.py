"""PostgreSQL: an engine with a timeout on every operation, and a single exception for all failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import Any

import asyncpg
from sqlalchemy import AsyncAdaptedQueuePool, event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.domain.errors import ServiceUnavailable
from app.postgresql.connector import OUTDATED, Connector, connector_of, create_engine
from app.postgresql.url import parse_database_url
from app.stores.asyncpg_connection import DriverConnection
from app.stores.circuit_breaker import CircuitBreaker, CircuitOpen
from app.stores.connection_reuse import discard_unusable_connections, is_server_trouble
from app.stores.fencing import require_lease
from app.stores.slow_statements import SlowStatements
from app.stores.statement_spans import trace_statements
from app.telemetry.metrics.histogram import Histogram

POSTGRES_FAILURES: tuple[type[Exception], ...] = (
    InterfaceError,
    OperationalError,
    PoolTimeoutError,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # Such as when the server ended the session while a statement was about to be sent.
)
"""The exceptions of a call when PostgreSQL is not reachable, too slow or shutting down."""

MAX_CONNECT_TIMEOUT = 10.0
"""Seconds that opening a connection may take, however long statements may."""

_RETRYABLE = ("40001", "40P01")
"""The SQLSTATEs of a serialisation failure and of a deadlock."""


def open_engine(url: str, *, max_connections: int, timeout: float, name: str) -> AsyncEngine:
    """Create an engine; nothing is connected before it is used.

    Args:
        url: The address of the database.
        max_connections: The size of the pool. Half of it stays open; the rest is opened on demand.
        timeout: Seconds after which waiting for a connection, a lock or a statement ends.
        name: The application name that PostgreSQL shows for the connections.
    """
    milliseconds = str(int(timeout * 1000))
    connector = Connector(
        parse_database_url(url),
        min(timeout, MAX_CONNECT_TIMEOUT),
        timeout,
        name,
        session={
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": "10000",
        },
        direct_session={
            "default_transaction_isolation": "read committed",
            "jit": "off",
            # PostgreSQL notices within a minute, and not after hours, that the machine of a client is gone.
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        },
    )
    pool_size = max(1, max_connections // 2)
    engine = create_engine(
        url,
        connector,
        # Connections beyond the pool size are closed after each use, and opening one costs more than most statements;
        # but every connection that stays open is not available to other instances.
        pool_size=pool_size,
        max_overflow=max_connections - pool_size,
        pool_timeout=timeout,
        pool_use_lifo=True,
        pool_pre_ping=False,
    )
    discard_unusable_connections(engine)
    trace_statements(engine)
    return engine


class SchemaChanged(ServiceUnavailable):
    """A table was altered in the middle of a transaction, which was rolled back and may be repeated."""


class Database:
    """Provides connections. All methods raise ServiceUnavailable, and nothing else, if PostgreSQL cannot be used.

    Attributes:
        engine: The pool of connections.
        breaker: Counts the failures of PostgreSQL.
        statement_seconds: How long the statements took that succeeded.
        acquire_seconds: How long it took to get a connection: to wait for one that is free, or to open another one.
        waiting: How many callers wait for a connection.
        failures: How many uses of a connection failed, by kind: `pool_timeout` if there was none in time,
            `circuit_open` if none was tried, otherwise `unavailable`.
        before_write: Called before a connection for writing is provided; raises ServiceUnavailable to refuse.
    """

    def __init__(self, engine: AsyncEngine, breaker: CircuitBreaker, slow: SlowStatements | None = None) -> None:
        """Use the pool of `engine`, and log statements that `slow` finds slow."""
        self.engine = engine
        self._slow = slow
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connector = connector_of(engine)
        self.breaker = breaker
        self.before_write: Callable[[], None] = lambda: None
        self.statement_seconds = Histogram()
        self.acquire_seconds = Histogram()
        self.waiting = 0
        self.failures: Counter[str] = Counter()
        self._measure_statements()

    @property
    def max_connections(self) -> int:
        """How many connections the pool may have."""
        return self._pool.size() + self._pool._max_overflow  # There is no public attribute for the second.

    @property
    def used_connections(self) -> int:
        """How many connections are in use."""
        return self._pool.checkedout()

    @property
    def idle_connections(self) -> int:
        """How many open connections are free."""
        return self._pool.checkedin()

    @property
    def _pool(self) -> AsyncAdaptedQueuePool:
        pool = self.engine.pool
        assert isinstance(pool, AsyncAdaptedQueuePool)
        return pool

    async def warm(self, connections: int) -> None:
        """Open `connections` connections in advance."""
        async with AsyncExitStack() as stack:
            for _ in range(connections):
                await stack.enter_async_context(self.connect())

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection in a transaction: committed at the end of the block, or rolled back on an exception.

        In a job, the transaction requires the lease of the jobs.
        """
        self.before_write()
        async with self._translate_failures(), self._lent(self.engine.begin()) as connection:
            await require_lease(connection)
            yield connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection for reading; each statement is a transaction of its own.

        Through a pooler, which lends a session per transaction, all of them are one transaction.
        """
        async with self._translate_failures():
            opening = self.engine.begin() if await self._has_pooler() else self._autocommit.connect()
            async with self._lent(opening) as connection:
                yield connection

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[DriverConnection]:
        """Yield a connection for the most frequent statements; each is a transaction of its own."""
        self.before_write()
        async with self._translate_failures(), self._lent(self.engine.connect()) as connection:
            yield DriverConnection(connection, self._connector, self._observe_statement)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection for several consistent reads: all see the database as of the first of them."""
        async with self._translate_failures(), self._lent(self.engine.connect()) as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield connection

    @property
    def label(self) -> str:
        """The hosts and ports of its URL."""
        return self._connector.url.label

    @property
    def has_pooler(self) -> bool | None:
        """Whether a pooler lends the connections per transaction; None before the first connection."""
        return self._connector.has_pooler

    async def _has_pooler(self) -> bool:
        if self._connector.has_pooler is None:
            async with self.engine.connect():
                pass  # Every connection detects it.
        return bool(self._connector.has_pooler)

    @asynccontextmanager
    async def _lent(self, opening: AbstractAsyncContextManager[AsyncConnection]) -> AsyncIterator[AsyncConnection]:
        """Yield the connection that `opening` waits for, and measure that wait."""
        async with AsyncExitStack() as stack:
            self.waiting += 1
            started = perf_counter()
            try:
                connection = await stack.enter_async_context(opening)
            finally:
                self.waiting -= 1
                self.acquire_seconds.observe(perf_counter() - started)
            yield connection

    def _measure_statements(self) -> None:
        """Measure the statements that SQLAlchemy executes; `DriverConnection` measures its own."""

        def start(_c: object, _cursor: object, _s: str, _p: object, context: Any, _many: bool) -> None:
            context.started = perf_counter()

        def end(_c: object, _cursor: object, statement: str, _p: object, context: Any, _many: bool) -> None:
            self._observe_statement(statement, perf_counter() - context.started)

        event.listen(self.engine.sync_engine, "before_cursor_execute", start)
        event.listen(self.engine.sync_engine, "after_cursor_execute", end)

    def _observe_statement(self, statement: str, seconds: float) -> None:
        self.statement_seconds.observe(seconds)
        if self._slow is not None:
            self._slow.observe(statement, seconds, self.label)

    @asynccontextmanager
    async def _translate_failures(self) -> AsyncIterator[None]:
        try:
            with self.breaker.call():
                try:
                    yield
                except (DBAPIError, asyncpg.InterfaceError) as error:
                    if isinstance(error, DBAPIError) and isinstance(_cause(error), OUTDATED):
                        raise SchemaChanged from error
                    if _is_unencodable_value(error):
                        raise DataError(None, None, error) from error
                    if not isinstance(error, DBAPIError):
                        raise
                    if _is_server_trouble(error):
                        raise OperationalError(error.statement, error.params, error.orig or error) from error
                    raise
        except CircuitOpen as error:
            self.failures["circuit_open"] += 1
            raise ServiceUnavailable from error
        except POSTGRES_FAILURES as error:
            self.failures["pool_timeout" if isinstance(error, PoolTimeoutError) else "unavailable"] += 1
            raise ServiceUnavailable from error


def is_retryable(error: BaseException) -> bool:
    """Return whether the whole transaction may be retried: after a deadlock or a serialisation failure."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in _RETRYABLE


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint that was violated, if the driver reports it."""
    name: str | None = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
    return name


def _is_unencodable_value(error: DBAPIError | asyncpg.InterfaceError) -> bool:
    """Return whether the driver could not encode a parameter, which it reports like a broken connection."""
    cause = getattr(error.orig, "__cause__", None) if isinstance(error, DBAPIError) else error
    return isinstance(cause, asyncpg.InterfaceError) and isinstance(cause, ValueError)


def _cause(error: DBAPIError) -> BaseException | None:
    """Return the exception of the driver behind one of SQLAlchemy."""
    return getattr(error.orig, "__cause__", None) or error.orig


def _is_server_trouble(error: DBAPIError) -> bool:
    is_clients = isinstance(_cause(error), asyncpg.InternalClientError)
    return error.connection_invalidated or is_clients or is_server_trouble(_sqlstate(error))


def _sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return state
