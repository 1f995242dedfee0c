"""The stores that every test may use. `DATABASE_URL` and `REDIS_URL` replace the private servers of a run."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import redis.asyncio
import structlog

from app.config import Settings
from app.embedded import Stores, open_stores
from app.embedded.servers import make_server
from app.wiring import App
from tests.support.service import Service, opened, serving, settings_for
from tests.support.stores import BreakableServer, Databases, private_folder

LONG_FILES = (
    "bench", "drill", "nemesis", "soak", "simulation", "test_patroni.py", "test_poisonous_input.py",
    "test_paid_once.py", "test_accessibility.py", "test_generated_documents.py", "test_commands.py",
    "test_running_commands.py", "test_backups.py", "clients", "test_database_role.py", "test_redis_permissions.py",
    "test_pgbouncer.py", "test_events.py", "test_webhooks.py",
)  # fmt: skip
"""Names of files, or of their folders, whose tests take a minute and longer."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take longest: one that starts last would keep a single process busy."""
    items.sort(key=lambda item: not {item.path.name, item.path.parent.name} & set(LONG_FILES))


@pytest.fixture(autouse=True)
def _log_configuration() -> Iterator[None]:
    """Undo what a command of the program that runs in this process has configured."""
    root, configuration = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**configuration)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """Run PostgreSQL and Redis, as durable as in development, for all tests of this process."""
    given = {"database_url": os.environ.get("DATABASE_URL"), "redis_url": os.environ.get("REDIS_URL")}
    with private_folder() as folder, open_stores(folder, **given) as found:
        yield found


@pytest.fixture(scope="session")
async def databases(stores: Stores) -> AsyncIterator[Databases]:
    """Create and drop the databases of this process."""
    made = Databases(stores.database_url)
    await made.prepare()
    yield made
    await made.close()


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """Create a migrated database for one test."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture(scope="session")
async def redis_session_url(stores: Stores) -> str:
    """Return the URL of Redis, which must be empty if it is given, because the tests erase it."""
    async with redis.asyncio.Redis.from_url(stores.redis_url, socket_timeout=5) as client:
        if await client.dbsize():
            pytest.exit("REDIS_URL names a database that is not empty, and the tests would erase it", returncode=2)
    return stores.redis_url


@pytest.fixture
async def redis_url(redis_session_url: str) -> AsyncIterator[str]:
    """Return the URL of an empty Redis; a test that needs its own channels sets a key prefix."""
    yield redis_session_url
    async with redis.asyncio.Redis.from_url(redis_session_url, socket_timeout=5) as client:
        await client.flushdb()


@pytest.fixture
async def redis_server() -> AsyncIterator[BreakableServer]:
    """Run a Redis for one test, which may kill, freeze and restart it."""
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
    """Run a PostgreSQL with a migrated database for one test, which may kill, freeze and restart it."""
    breakable, databases = _breakable_postgres
    breakable.url = await databases.create()
    yield breakable
    await breakable.start()
    await databases.drop(breakable.url)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """Return settings with the stores of one test."""
    return settings_for(database_url, redis_url)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    """Open all services."""
    async with opened(settings) as app:
        yield app


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """Run a server."""
    async with serving(settings) as service:
        yield service
