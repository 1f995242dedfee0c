"""A connection on which PostgreSQL left something unanswered is not used again: what follows is really committed."""

import operator
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.errors import ServiceUnavailable
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.postgres import POSTGRES_FAILURES, Database, open_engine
from tests.support.runtime import runtime_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import until_answer

PID = text("SELECT pg_backend_pid() AS pid")
INSERT = text("INSERT INTO milk (id) VALUES (:id)")
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"

Execute = Callable[..., Awaitable[Any]]
Way = Callable[[Database], AbstractAsyncContextManager[Execute]]


@asynccontextmanager
async def driver_statement(database: Database) -> AsyncIterator[Execute]:
    async with database.driver() as connection:
        yield connection.execute


@asynccontextmanager
async def driver_transaction(database: Database) -> AsyncIterator[Execute]:
    async with database.driver() as connection, connection.transaction():
        yield connection.execute


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Execute]:
    async with database.begin() as connection:
        yield connection.execute


@asynccontextmanager
async def savepoint(database: Database) -> AsyncIterator[Execute]:
    async with database.begin() as connection, connection.begin_nested():
        yield connection.execute


@asynccontextmanager
async def autocommit(database: Database) -> AsyncIterator[Execute]:
    async with database.connect() as connection:
        yield connection.execute


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Execute]:
    async with database.snapshot() as connection:
        yield connection.execute


@pytest.fixture
async def outside(postgres_server: BreakableServer) -> AsyncIterator[asyncpg.Connection]:
    """A session of its own, which sees what is committed and nothing else."""
    dsn = postgres_server.url.replace("+asyncpg", "")
    connection = await asyncpg.connect(dsn, timeout=20, command_timeout=20)
    await connection.execute("CREATE TABLE milk (id int PRIMARY KEY)")
    yield connection
    await connection.close(timeout=10)


@pytest.fixture
async def engine(postgres_server: BreakableServer) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(postgres_server.url, max_connections=2, timeout=1.0, name="test")
    yield engine
    await engine.dispose()


@pytest.fixture
def database(engine: AsyncEngine, outside: asyncpg.Connection) -> Database:
    """Create a pool of one connection, so that the next user gets the same connection if it was kept."""
    return Database(engine, CircuitBreaker("test", POSTGRES_FAILURES, runtime_for(), threshold=1000))


async def pid_of(database: Database) -> int:
    """The session that the pool lends next."""
    async with database.driver() as connection:
        ((pid,),) = await connection.execute(PID, {})
        return int(pid)


async def gone(outside: asyncpg.Connection, pid: int) -> None:
    """Return when PostgreSQL has done all that the session `pid` was sent, and has ended it."""
    await until_answer(lambda: outside.fetchval(SESSIONS, pid), operator.not_)


async def insert(database: Database, way: Way, *ids: int) -> None:
    async with way(database) as execute:
        for one in ids:
            await execute(INSERT, {"id": one})


async def committed(outside: asyncpg.Connection) -> list[int]:
    return [row["id"] for row in await outside.fetch("SELECT id FROM milk ORDER BY id")]


@pytest.mark.parametrize("way", [driver_statement, driver_transaction, transaction, savepoint, autocommit, snapshot])
async def test_after_a_beginning_without_an_answer_everything_acknowledged_is_committed(
    database: Database, postgres_server: BreakableServer, outside: asyncpg.Connection, way: Way
):
    pid = await pid_of(database)
    with postgres_server.frozen(pid), pytest.raises(ServiceUnavailable):
        async with way(database) as execute:
            await execute(PID, {})
    for number, after in enumerate((driver_statement, driver_transaction, transaction, savepoint, autocommit)):
        await insert(database, after, number)
    assert await committed(outside) == [0, 1, 2, 3, 4]
    assert await pid_of(database) != pid
    await gone(outside, pid)


@pytest.mark.parametrize("way", [driver_transaction, transaction, savepoint])
async def test_after_a_commit_without_an_answer_everything_acknowledged_is_committed(
    database: Database, postgres_server: BreakableServer, outside: asyncpg.Connection, way: Way
):
    pid = await pid_of(database)

    async def commit_while_frozen(stack: ExitStack) -> None:
        async with way(database) as execute:
            await execute(INSERT, {"id": 1})
            stack.enter_context(postgres_server.frozen(pid))

    with ExitStack() as stack, pytest.raises(ServiceUnavailable):
        await commit_while_frozen(stack)
    await insert(database, driver_transaction, 2)
    await insert(database, transaction, 3)
    await gone(outside, pid)
    assert [one for one in await committed(outside) if one != 1] == [2, 3]
    assert await pid_of(database) != pid


@pytest.mark.parametrize("way", [driver_transaction, transaction, savepoint])
async def test_after_a_rollback_without_an_answer_everything_acknowledged_is_committed(
    database: Database, postgres_server: BreakableServer, outside: asyncpg.Connection, way: Way
):
    pid = await pid_of(database)

    async def fail_while_frozen(stack: ExitStack) -> None:
        async with way(database) as execute:
            await execute(INSERT, {"id": 1})
            stack.enter_context(postgres_server.frozen(pid))
            raise KeyError

    with ExitStack() as stack, pytest.raises((KeyError, ServiceUnavailable)):
        await fail_while_frozen(stack)
    await insert(database, driver_transaction, 2)
    await insert(database, transaction, 3)
    await gone(outside, pid)
    assert await committed(outside) == [2, 3]
    assert await pid_of(database) != pid
