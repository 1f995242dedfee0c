"""Opening of connections: to the server that accepts writes, directly or through a pooler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.postgresql.url import DatabaseUrl, parse_database_url

_OPTION = "connector"

OUTDATED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
"""The exceptions of a statement that was prepared before a table was altered."""


class OwnConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that executes a statement again which failed as a table was altered after it was prepared.

    That is possible outside of a transaction, and for the first statement of one.
    """

    _begin: str | None = None
    """The statement that began the present transaction, until another one has been executed in it."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """Execute a statement, and note the beginning of a transaction."""
        status: str = await super().execute(query, *args, **options)
        self._begin = query if not args and query.startswith("BEGIN") else None
        return status

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        """Execute a statement and return its rows."""
        return await self.repeat_if_outdated(lambda: super(OwnConnection, self).fetch(query, *args, **options))

    async def prepare(self, query: str, **options: Any) -> Any:
        """Prepare a statement that can be prepared again."""
        return OwnStatement(self, await super().prepare(query, **options), query, options)

    async def repeat_if_outdated(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Return the result of `call`; call it twice if it fails since a table was altered."""
        begin, self._begin = self._begin, None
        try:
            return await call()
        except OUTDATED:
            if begin is not None:
                await super().execute("ROLLBACK")
                await super().execute(begin)
            elif self.is_in_transaction():
                raise
            return await call()


class OwnStatement:
    """A prepared statement of `OwnConnection`; it has what SQLAlchemy uses of one."""

    def __init__(self, connection: OwnConnection, statement: Any, query: str, options: dict[str, Any]) -> None:
        self._connection = connection
        self._statement = statement
        self._query = query
        self._options = options
        self._is_outdated = False

    async def fetch(self, *args: Any) -> Any:
        """Execute the statement and return its rows."""

        async def call() -> Any:
            if self._is_outdated:
                self._statement = await asyncpg.Connection.prepare(self._connection, self._query, **self._options)
                self._is_outdated = False
            try:
                return await self._statement.fetch(*args)
            except OUTDATED:
                self._is_outdated = True
                raise

        return await self._connection.repeat_if_outdated(call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._statement, name)


class PoolerConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection to a pooler, which lends a session of the server for one transaction at a time.

    Statements are prepared without a name: a name would stay behind in a session that others use next.
    """

    async def prepare(self, query: str, **options: Any) -> Any:
        """Prepare a statement without a name, whatever name is asked for."""
        return await super().prepare(query, **(options | {"name": ""}))


CONNECT_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The exceptions of a connection that cannot be opened, or leads to a server of another kind than asked for."""


@dataclass(slots=True)
class Connector:
    """Opens the connections of one pool.

    A pooler in between is detected: the process that serves a statement is not the one that answered the connection.
    Then settings of the session must not be changed, as the session is another one in the next transaction.

    Attributes:
        url: Where to connect.
        timeout: Seconds that opening a connection may take.
        statement_timeout: Seconds that a statement may take; None for any time.
        name: The application name that PostgreSQL shows.
        session: Settings of PostgreSQL for each connection, or for each transaction if there is a pooler.
        direct_session: Further settings, which are left at the server's defaults if there is a pooler.
        has_pooler: Whether there is a pooler; None before the first connection.
    """

    url: DatabaseUrl
    timeout: float
    statement_timeout: float | None
    name: str
    session: Mapping[str, str] = field(default_factory=dict)
    direct_session: Mapping[str, str] = field(default_factory=dict)
    has_pooler: bool | None = None
    _last_host: int = 0

    @property
    def begin(self) -> str:
        """The statement that begins a transaction, with the settings that a pooler must not keep."""
        if not self.has_pooler:
            return "BEGIN"
        return "; ".join(["BEGIN", *(f"SET LOCAL {name} = '{value}'" for name, value in self.session.items())])

    async def connect(self, *_: object, **__: object) -> Any:
        """Open a connection to the first host that has the kind of server that the URL asks for.

        The host that was used last is tried first. The hosts share the timeout.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError: No host could be used; the error of the last one.
        """
        hosts = len(self.url.hosts)
        timeout = self.timeout / hosts
        first = self._last_host
        for turn in range(hosts):
            number = (first + turn) % hosts
            try:
                connection = await self._connect_to(*self.url.hosts[number], timeout)
            except CONNECT_FAILURES as error:
                if turn < hosts - 1:
                    continue
                if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
                    raise ConnectionError(f"no server of {self.url.label} is {self.url.target}") from None
                raise
            else:
                self._last_host = number
                return connection
        raise AssertionError("a URL has a host")

    async def _connect_to(self, host: str, port: int, timeout: float) -> Any:
        connection = await self._open(host, port, timeout)
        try:
            if not self.has_pooler and not await self._set_up(connection, timeout):
                self.has_pooler = True
                connection.terminate()
                return await self._open(host, port, timeout)
        except BaseException:
            connection.terminate()
            raise
        self.has_pooler = bool(self.has_pooler)
        return connection

    async def _open(self, host: str, port: int, timeout: float) -> Any:
        pooling: dict[str, Any] = {"connection_class": OwnConnection}
        if self.has_pooler:
            pooling = {"connection_class": PoolerConnection, "statement_cache_size": 0}
        return await asyncpg.connect(
            **self.url.arguments(host, port),
            timeout=timeout,
            command_timeout=self.statement_timeout,
            server_settings={"application_name": self.url.application_name or self.name},
            **pooling,
        )

    async def _set_up(self, connection: Any, timeout: float) -> bool:
        """Change the settings of the session. Return False, and change nothing, if there is a pooler."""
        process = connection.get_server_pid()
        settings = {**self.session, **self.direct_session}
        script = f"SELECT 1 / (pg_backend_pid() = {int(process)})::int; " + "; ".join(
            f"SET {name} = '{value}'" for name, value in settings.items()
        )
        try:
            async with asyncio.timeout(timeout):
                await connection.execute(script)  # One message, and so all or nothing.
        except asyncpg.DivisionByZeroError:
            return False
        return True


def create_engine(url: str, connector: Connector | None = None, **options: Any) -> AsyncEngine:
    """Create an engine whose connections are opened by a connector; nothing is connected before it is used.

    Args:
        url: The address of the database.
        connector: Opens the connections; by default within 10 s, and with the settings of the server.
        options: Further arguments of `create_async_engine`.
    """
    connector = connector or Connector(parse_database_url(url), 10, None, "leaderboard")
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={"async_creator_fn": connector.connect},
        execution_options={_OPTION: connector},
        **options,
    )

    def on_connect(connection: Any, _: object) -> None:
        if connector.has_pooler:
            # The cache would find statements of other transactions, in other sessions.
            connection._prepared_statement_cache = None

    def on_begin(connection: Connection) -> None:
        if connector.has_pooler and connector.session:
            calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in connector.session.items())
            connection.exec_driver_sql(f"SELECT {calls}")

    event.listen(engine.sync_engine, "connect", on_connect, insert=True)  # Before the dialect executes statements.
    event.listen(engine.sync_engine, "begin", on_begin)
    return engine


def has_pooler(connection: Connection) -> bool:
    """Return whether a connection of an engine of `create_engine` leads through a pooler."""
    connector: Connector = connection.get_execution_options()[_OPTION]
    return bool(connector.has_pooler)


def connector_of(engine: AsyncEngine) -> Connector:
    """Return the connector of an engine of `create_engine`."""
    connector: Connector = engine.get_execution_options()[_OPTION]
    return connector
