"""The service through PgBouncer, which lends a session of PostgreSQL for one transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import make_url, text

from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.models.migrate import downgrade, upgrade
from app.models.revisions import read_revisions
from app.wiring import App
from tests.support.background_jobs import ask, database_at
from tests.support.processes.pgbouncer import needs_pgbouncer, pgbouncer
from tests.support.service import caller, opened, settings_for
from tests.support.stores import Databases
from tests.support.wait_until import until

pytestmark = needs_pgbouncer

SETTINGS = text("SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')")


@pytest.fixture
def bouncer(database_url: str) -> Iterator[str]:
    with pgbouncer(database_url) as url:
        yield url


@pytest.fixture
async def app(bouncer: str, redis_url: str) -> AsyncIterator[App]:
    async with opened(settings_for(bouncer, redis_url, redis_timeout=2.0)) as app:
        yield app


async def play(app: App) -> UUID:
    who = caller()
    await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
    return who.user_id


async def test_forty_of_forty_concurrent_players_are_paid(app: App, database_url: str):
    for _ in range(3):  # Each time on other sessions.
        players = await asyncio.gather(*[play(app) for _ in range(40)])
        assert len(set(players)) == 40
    assert await ask(database_url, "SELECT count(*) FROM score_transactions") == 120


async def test_an_instance_becomes_the_leader_and_its_jobs_succeed(app: App):
    await until(lambda: app.jobs.is_leader)
    await play(app)
    for job in app.jobs.all:
        await app.jobs.run_one(job.name)
    await until(lambda: app.jobs.states["close_windows"].runs > 0)
    assert app.jobs.states["close_windows"].failures == 0


async def test_boards_are_read_from_postgresql_when_redis_is_away(bouncer: str):
    async with opened(settings_for(bouncer, "redis://127.0.0.1:9"), loaded=False) as app:
        players = await asyncio.gather(*[play(app) for _ in range(10)])
        page = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 50))
        assert {entry.user.id for entry in page.entries} == set(players)


async def test_demo_players_are_added_by_copy(app: App, database_url: str):
    await app.seeding.seed("global", 50, 100, 3, lambda _: None)
    assert await ask(database_url, "SELECT count(*) FROM users") == 50


async def test_every_transaction_has_the_time_outs_and_leaves_none_behind(bouncer: str):
    async with database_at(bouncer, timeout=7.0) as database:
        for open_connection in (database.begin, database.connect, database.snapshot):
            async with open_connection() as connection:
                assert tuple((await connection.execute(SETTINGS)).one()) == ("7s", "10s")
        async with database.driver() as driver:
            assert tuple((await driver.execute(SETTINGS, {}))[0]) == ("7s", "10s")
        dsn = make_url(bouncer).set(drivername="postgresql").render_as_string(hide_password=False)
        other = await asyncpg.connect(dsn, statement_cache_size=0)
        try:
            for _ in range(10):
                async with other.transaction():
                    assert await other.fetchval("SHOW statement_timeout") == "0"
                    assert await other.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''") == 0
        finally:
            await other.close()


async def test_the_database_is_migrated_through_it(databases: Databases):
    url = await databases.create()
    with pgbouncer(url) as pooled:
        await asyncio.to_thread(downgrade, pooled)
        await asyncio.to_thread(upgrade, pooled)
        found = await asyncio.to_thread(read_revisions, pooled)
    assert found.current == found.newest
    await databases.drop(url)


async def test_pooling_per_session_is_detected_too(database_url: str, redis_url: str):
    with pgbouncer(database_url, pool_size=20, mode="session") as url:
        async with opened(settings_for(url, redis_url, db_pool_max=10)) as app:
            await asyncio.gather(*[play(app) for _ in range(20)])
    assert await ask(database_url, "SELECT count(*) FROM score_transactions") == 20


async def test_a_server_without_a_pooler_is_recognised(database_url: str):
    async with database_at(database_url, timeout=7.0) as database:
        async with database.connect() as connection:
            assert tuple((await connection.execute(SETTINGS)).one()) == ("7s", "10s")
        assert database.has_pooler is False
