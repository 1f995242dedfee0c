"""Sessions have the settings that the service needs, whatever the defaults of the database are."""

from sqlalchemy import make_url, text

from app.postgresql.connector import Connector
from app.postgresql.url import parse_database_url
from tests.support.background_jobs import ask, database_at

ISOLATION = text("SELECT current_setting('transaction_isolation') AS isolation")


async def test_the_default_isolation_of_the_database_does_not_matter(database_url: str):
    name = make_url(database_url).database
    await ask(database_url, f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'repeatable read'")
    assert await ask(database_url, "SHOW transaction_isolation") == "repeatable read"
    async with database_at(database_url) as database:
        async with database.begin() as connection:
            assert (await connection.execute(ISOLATION)).scalar_one() == "read committed"
        async with database.driver() as driver, driver.transaction():
            assert (await driver.execute(ISOLATION, {}))[0].isolation == "read committed"


async def test_the_host_that_was_used_last_is_tried_first(database_url: str):
    url = make_url(database_url)
    dead = f"postgresql://{url.username}:{url.password}@127.0.0.1:9,{url.host}:{url.port}/{url.database}"
    connector = Connector(parse_database_url(dead), 10, 10, "test")
    for _ in range(2):
        connection = await connector.connect()
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
        assert connector._last_host == 1
