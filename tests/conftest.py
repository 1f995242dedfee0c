"""The stores every test may ask for. `DATABASE_URL` and `REDIS_URL` replace the private servers of a run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import redis.asyncio

from app.config import Settings
from app.embedded import Stores, open_stores
from app.embedded.servers import make_server
from app.wiring import App
from tests.support.service import Service, opened, serving, settings_for
from tests.support.stores import BreakableServer, Databases, private_folder


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """PostgreSQL and Redis, durable as in development, shared by the tests of this run."""
    given = {"database_url": os.environ.get("DATABASE_URL"), "redis_url": os.environ.get("REDIS_URL")}
    with private_folder() as folder, open_stores(folder, **given) as found:
        yield found


@pytest.fixture(scope="session")
async def databases(stores: Stores) -> AsyncIterator[Databases]:
    made = Databases(stores.database_url)
    await made.prepare()
    yield made
    await made.close()


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated database of this test alone."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture(scope="session")
async def redis_session_url(stores: Stores) -> str:
    """The Redis of this run; one that was given must be empty, as the tests erase it."""
    async with redis.asyncio.Redis.from_url(stores.redis_url, socket_timeout=5) as client:
        if await client.dbsize():
            pytest.exit("REDIS_URL names a database that is not empty, and the tests would erase it", returncode=2)
    return stores.redis_url


@pytest.fixture
async def redis_url(redis_session_url: str) -> AsyncIterator[str]:
    """An empty Redis. Channels know no logical databases: a test that needs its own sets a key prefix."""
    yield redis_session_url
    async with redis.asyncio.Redis.from_url(redis_session_url, socket_timeout=5) as client:
        await client.flushdb()


@pytest.fixture
async def redis_server() -> AsyncIterator[BreakableServer]:
    """A Redis of this test alone, which it may kill, freeze and restart."""
    with private_folder() as folder:
        server = make_server(folder, "redis")
        await asyncio.to_thread(server.start)
        breakable = BreakableServer(server, server.url)
        yield breakable
        breakable.kill()


@pytest.fixture(scope="session")
async def _breakable_postgres() -> AsyncIterator[tuple[BreakableServer, Databases]]:
    with private_folder() as folder:
        server = make_server(folder, "postgres")
        await asyncio.to_thread(server.start)
        breakable, databases = BreakableServer(server, server.url), Databases(server.url)
        await databases.prepare()
        yield breakable, databases
        breakable.kill()


@pytest.fixture
async def postgres_server(
    _breakable_postgres: tuple[BreakableServer, Databases],
) -> AsyncIterator[BreakableServer]:
    """A PostgreSQL with one migrated database of this test alone, which it may kill, freeze and restart."""
    breakable, databases = _breakable_postgres
    breakable.url = await databases.create()
    yield breakable
    await breakable.start()
    await databases.drop(breakable.url)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """Settings of this test alone."""
    return settings_for(database_url, redis_url)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    """The service's objects, open."""
    async with opened(settings) as app:
        yield app


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """A running server."""
    async with serving(settings) as service:
        yield service
