"""The driver's own connection does what SQLAlchemy's does: same rows, same exceptions, same care for the pool."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ServiceUnavailable
from app.stores.asyncpg_connection import DriverConnection
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.postgres import POSTGRES_FAILURES, Database, open_engine
from tests.support.runtime import runtime_for
from tests.support.wait_until import TIMEOUT, until_answer

PID = text("SELECT pg_backend_pid()")
INSERT = text("INSERT INTO milk (id) VALUES (:id)")
COUNT = text("SELECT count(*) AS count FROM milk")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    engine = open_engine(database_url, max_connections=8, timeout=1.0, name="test")
    database = Database(engine, CircuitBreaker("test", POSTGRES_FAILURES, runtime_for()))
    async with database.begin() as connection:
        await connection.execute(text("CREATE TABLE milk (id int PRIMARY KEY)"))
    yield database
    await engine.dispose()


async def value(connection: DriverConnection, statement: str | None = None) -> int:
    ((found,),) = await connection.execute(text(statement) if statement else COUNT, {})
    return int(found)


async def insert(database: Database, *ids: int) -> None:
    """Each in a transaction of its own."""
    async with database.driver() as connection:
        for one in ids:
            await connection.execute(INSERT, {"id": one})


async def transact(database: Database, *statements: str) -> None:
    """All in one transaction."""
    async with database.driver() as connection, connection.transaction():
        for statement in statements:
            await connection.execute(text(statement), {})


async def test_rows_know_their_columns_by_place_and_by_name(database: Database):
    statement = text("SELECT CAST(:one AS int) AS a, CAST(:two AS text) AS b, CAST(:one AS int) + 1 AS c, 'x:y' AS d")
    async with database.driver() as connection:
        (row,) = await connection.execute(statement, {"two": "zwei", "one": 1, "more": None})
        assert tuple(row) == (row.a, row.b, row.c, row.d) == (1, "zwei", 2, "x:y")
        assert list(await connection.execute(text("SELECT 1 WHERE false"), {})) == []


async def test_each_statement_is_a_transaction_of_its_own(database: Database):
    with pytest.raises(IntegrityError):
        await insert(database, 1, 1)
    async with database.driver() as connection:
        assert await value(connection) == 1


async def test_a_transaction_is_committed_as_a_whole_or_not_at_all(database: Database):
    await transact(database, "INSERT INTO milk VALUES (1)", "INSERT INTO milk VALUES (2)")
    with pytest.raises(IntegrityError):
        await transact(database, "INSERT INTO milk VALUES (3)", "INSERT INTO milk VALUES (1)")

    async def refuse() -> None:
        async with database.driver() as connection, connection.transaction():
            await connection.execute(INSERT, {"id": 4})
            raise KeyError

    with pytest.raises(KeyError):
        await refuse()
    async with database.driver() as connection:
        assert await value(connection) == 2


async def test_errors_are_those_of_sqlalchemy(database: Database):
    with pytest.raises(DBAPIError) as error:
        async with database.driver() as connection:
            await value(connection, "SELECT 1 / 0")
    assert getattr(error.value.orig, "sqlstate", None) == "22012"


async def test_a_statement_that_takes_too_long_is_given_up(database: Database):
    with pytest.raises(ServiceUnavailable):
        await transact(database, "INSERT INTO milk VALUES (1)", "SELECT pg_sleep(30)")
    async with database.driver() as connection:
        assert await value(connection) == 0


async def begun(database_url: str, statement: str) -> None:
    """Wait until PostgreSQL executes `statement` for anybody in this database."""
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query = $1"
    )
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""), timeout=TIMEOUT)
    try:
        await until_answer(lambda: connection.fetchval(running, statement), bool)
    finally:
        await connection.close()


async def test_a_cancelled_statement_leaves_nothing_behind(database: Database, database_url: str):
    async with database.driver() as connection:
        before = await value(connection, PID.text)
    task = asyncio.create_task(transact(database, "INSERT INTO milk VALUES (1)", "SELECT pg_sleep(30)"))
    await begun(database_url, "SELECT pg_sleep(30)")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.driver() as connection:
        assert await value(connection, PID.text) != before
        assert await value(connection) == 0
    assert "Connections in pool: 1 " in database.engine.pool.status()


async def test_when_one_connection_was_lost_those_of_its_age_are_not_tried(database: Database):
    async def together() -> list[int]:
        async with database.driver() as one, database.driver() as two, database.driver() as three:
            return [await value(connection) for connection in (one, two, three)]

    assert await together() == [0, 0, 0]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND datname = "
    async with database.begin() as connection:
        await connection.execute(text(others + "current_database() AND pid <> pg_backend_pid()"))
    with pytest.raises(ServiceUnavailable):
        await together()
    assert [await together() for _ in range(3)] == [[0, 0, 0]] * 3


async def test_a_transaction_on_a_lost_connection_fails_as_one_that_was_not_begun(database: Database):
    with pytest.raises(ServiceUnavailable):
        await transact(database, "INSERT INTO milk VALUES (1)", "SELECT pg_terminate_backend(pg_backend_pid())")
    async with database.driver() as connection:
        assert await value(connection) == 0


async def test_a_transaction_whose_failure_was_ignored_raises_at_its_end(database: Database):
    async def ignore() -> None:
        async with database.driver() as connection, connection.transaction():
            await connection.execute(INSERT, {"id": 1})
            with pytest.raises(IntegrityError):
                await connection.execute(INSERT, {"id": 1})

    with pytest.raises(DBAPIError, match="rolled back"):
        await ignore()
    async with database.driver() as connection:
        assert await value(connection) == 0


async def test_a_transaction_does_not_begin_within_another(database: Database):
    async def nest() -> None:
        async with database.driver() as connection, connection.transaction():
            await connection.execute(INSERT, {"id": 1})
            async with connection.transaction():
                await connection.execute(INSERT, {"id": 2})

    with pytest.raises(RuntimeError):
        await nest()
    async with database.driver() as connection:
        assert await value(connection) == 0


async def test_a_connection_that_is_returned_within_a_transaction_is_discarded(database: Database):
    async with database.driver() as connection:
        before = await value(connection, PID.text)
        await connection.execute(text("BEGIN"), {})
    await insert(database, 1)
    async with database.begin() as other:
        assert (await other.execute(PID)).scalar_one() != before
        assert (await other.execute(COUNT)).scalar_one() == 1


@pytest.mark.parametrize("lend", [Database.driver, Database.begin, Database.connect, Database.snapshot])
async def test_a_connection_within_a_transaction_is_not_checked_out(database: Database, lend: Callable[..., Any]):
    async with database.driver() as connection:
        before = await value(connection, PID.text)
        driver = connection._driver
    await driver.execute("BEGIN")  # As an earlier user would, who still uses the connection after returning it.
    async with lend(database) as lent:
        ((pid,),) = await lent.execute(PID, {})
        assert pid != before
    assert driver.is_closed()


@pytest.mark.parametrize("lend", [Database.driver, Database.begin, Database.connect])
async def test_when_the_server_has_become_read_only_connections_are_opened_anew(
    database: Database, lend: Callable[..., Any]
):
    async with database.driver() as one, database.driver() as two:
        before = {await value(connection, PID.text) for connection in (one, two)}
        for connection in (one, two):
            await connection.execute(text("SET default_transaction_read_only = on"), {})
    with pytest.raises(ServiceUnavailable) as unavailable:
        async with lend(database) as lent:
            await lent.execute(INSERT, {"id": 1})
    assert "read-only transaction" in str(unavailable.value.__cause__)
    async with database.driver() as one, database.driver() as two:
        assert before.isdisjoint({await value(connection, PID.text) for connection in (one, two)})
    await insert(database, 1)


async def test_a_connection_is_reused_after_an_error_of_the_statement(database: Database):
    async with database.driver() as connection:
        before = await value(connection, PID.text)
    for lend in (Database.driver, Database.begin, Database.connect):
        with pytest.raises(DBAPIError):
            async with lend(database) as lent:
                await lent.execute(text("SELECT 1 / 0"), {})
    async with database.driver() as connection:
        assert await value(connection, PID.text) == before


async def test_a_copy_that_takes_too_long_leaves_nothing_behind(database: Database):
    async def copy(connection: AsyncConnection) -> None:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await connection.execute(text("LOCK TABLE milk IN ROW EXCLUSIVE MODE"))
        await driver.copy_records_to_table("milk", records=[(1,)], columns=["id"], timeout=0.2)

    async with database.begin() as holder:
        await holder.execute(INSERT, {"id": 1})  # The row of the COPY waits for the end of this transaction.
        with pytest.raises(ServiceUnavailable):
            async with database.begin() as connection:
                await copy(connection)
    await insert(database, 2)
    async with database.begin() as connection:
        assert sorted((await connection.execute(text("SELECT id FROM milk"))).scalars()) == [1, 2]
