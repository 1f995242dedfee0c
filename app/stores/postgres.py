"""The database: one engine with a time limit on everything, and one word for its failures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.domain.errors import ServiceUnavailable
from app.stores.asyncpg_connection import DriverConnection
from app.stores.circuit_breaker import CircuitBreaker, CircuitOpen
from app.stores.connection_reuse import discard_unusable_connections, is_server_trouble

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
"""What a call raises when PostgreSQL is away, slow or shutting down."""

_REPEATABLE = ("40001", "40P01")


def open_engine(url: str, *, max_connections: int, timeout: float, name: str) -> AsyncEngine:
    """An engine whose every wait ends: for a connection, for a lock, for a statement. `timeout` is in seconds."""
    milliseconds = str(int(timeout * 1000))
    kept = max(1, max_connections // 2)
    engine = create_async_engine(
        url,
        # What overflows is closed after each use, and opening costs more than most statements; but what is kept open
        # is taken from all other instances.
        pool_size=kept,
        max_overflow=max_connections - kept,
        pool_timeout=timeout,
        pool_use_lifo=True,
        pool_pre_ping=False,
        connect_args={
            "timeout": timeout,
            "command_timeout": timeout,
            "server_settings": {
                "application_name": name,
                "statement_timeout": milliseconds,
                "lock_timeout": milliseconds,
                "idle_in_transaction_session_timeout": "10000",
                "jit": "off",
            },
        },
    )
    discard_unusable_connections(engine)
    return engine


class Database:
    """Hands out connections. Raises ServiceUnavailable, and nothing else, when PostgreSQL cannot be used."""

    def __init__(self, engine: AsyncEngine, breaker: CircuitBreaker) -> None:
        self.engine = engine
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.breaker = breaker

    async def warm(self, connections: int) -> None:
        """Open so many connections ahead of need. Raises ServiceUnavailable."""
        async with AsyncExitStack() as stack:
            for _ in range(connections):
                await stack.enter_async_context(self.connect())

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that is committed at the end of the block, or rolled back by an exception."""
        async with self._translated(), self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; each statement is a transaction of its own."""
        async with self._translated(), self._autocommit.connect() as connection:
            yield connection

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[DriverConnection]:
        """A connection for what runs all the time; each statement is a transaction of its own."""
        async with self._translated(), self.engine.connect() as connection:
            yield DriverConnection(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection for several reads that must agree: all see the database as of the first of them."""
        async with self._translated(), self.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            with self.breaker.call():
                try:
                    yield
                except (DBAPIError, asyncpg.InterfaceError) as error:
                    if _is_refused_value(error):
                        raise DataError(None, None, error) from error
                    if not isinstance(error, DBAPIError):
                        raise
                    if _is_server_trouble(error):
                        raise OperationalError(error.statement, error.params, error.orig or error) from error
                    raise
        except CircuitOpen:
            raise ServiceUnavailable from None
        except POSTGRES_FAILURES as error:
            raise ServiceUnavailable from error


def is_retryable(error: BaseException) -> bool:
    """Whether the whole transaction may simply be tried again: a deadlock or a serialisation failure."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in _REPEATABLE


def violated_constraint(error: IntegrityError) -> str | None:
    """The name of the constraint that an IntegrityError is about."""
    name: str | None = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
    return name


def _is_refused_value(error: DBAPIError | asyncpg.InterfaceError) -> bool:
    """Whether the driver could not encode a parameter. It says so by an interface error, as of a broken connection."""
    cause = getattr(error.orig, "__cause__", None) if isinstance(error, DBAPIError) else error
    return isinstance(cause, asyncpg.InterfaceError) and isinstance(cause, ValueError)


def _is_server_trouble(error: DBAPIError) -> bool:
    return error.connection_invalidated or is_server_trouble(_sqlstate(error))


def _sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return state
