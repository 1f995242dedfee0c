"""What is measured of the stores: connections that are used, waited for or missing, statements, memory, archiving."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.config import Settings
from app.domain.errors import ServiceUnavailable
from app.wiring import App
from tests.support.service import opened
from tests.support.wait_until import until


async def test_a_pool_shows_who_waits_for_a_connection_and_who_waited_in_vain(settings: Settings) -> None:
    small = settings.model_copy(update={"db_pool_min": 1, "db_pool_max": 2, "db_timeout": 1.0})
    async with opened(small, housekeeping=False, loaded=False) as app, AsyncExitStack() as stack:
        database = app.database
        assert database.max_connections == 2
        failed_before = database.failures["pool_timeout"]
        for _ in range(2):
            await stack.enter_async_context(database.connect())
        assert (database.used_connections, database.idle_connections) == (2, 0)

        async def use_another() -> None:
            async with database.connect():
                pass

        waiting = asyncio.create_task(use_another())
        await until(lambda: database.waiting >= 1)
        with pytest.raises(ServiceUnavailable):
            await waiting
        assert database.failures["pool_timeout"] > failed_before


async def test_statements_are_measured_whichever_way_they_go(app: App) -> None:
    statement = text("SELECT 1")
    for lend in (app.database.connect, app.database.begin, app.database.snapshot):
        before = app.database.statement_seconds.count
        async with lend() as connection:
            await connection.execute(statement)
        assert app.database.statement_seconds.count > before
    before = app.database.statement_seconds.count
    async with app.database.driver() as driver:
        await driver.execute(statement, {})
    assert app.database.statement_seconds.count > before


async def test_a_slow_statement_is_logged_once_whichever_way_it_goes_and_without_its_parameters(
    settings: Settings,
) -> None:
    values = {"name": "never logged"}
    everything_is_slow = settings.model_copy(update={"log_slow_statements": 1e-9})
    with capture_logs() as logs:
        async with opened(everything_is_slow, housekeeping=False, loaded=False) as app:
            for _ in range(2):
                async with app.database.connect() as connection:
                    await connection.execute(
                        text("SELECT 1 AS by_sqlalchemy, CAST(:name AS text)"), {"name": "never logged"}
                    )
                async with app.database.driver() as driver:
                    await driver.execute(text("SELECT 1 AS by_driver, CAST(:name AS text)"), values)
    lines = [line for line in logs if line["event"] == "slow_statement"]
    for name in ("by_sqlalchemy", "by_driver"):
        (line,) = (line for line in lines if name in line["statement"])
        assert line["seconds"] >= 0
        assert line["log_level"] == "warning"
    assert "never logged" not in str(lines)


async def test_zero_seconds_log_no_statement(settings: Settings) -> None:
    never = settings.model_copy(update={"log_slow_statements": 0})
    with capture_logs() as logs:
        async with opened(never, housekeeping=False, loaded=False) as app, app.database.connect() as connection:
            await connection.execute(text("SELECT 1"))
    assert [line for line in logs if line["event"] == "slow_statement"] == []


async def test_the_stores_are_asked_for_their_memory_and_their_archive(app: App) -> None:
    statistics = app.store_statistics
    await statistics.read_archiver()
    await statistics.read_redis()
    assert statistics.archiver.is_failing is None, "the servers of tests archive nothing"
    assert statistics.redis_used_bytes is not None
    assert statistics.redis_used_bytes > 0
    assert statistics.redis_max_bytes == 0
