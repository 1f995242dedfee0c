"""Tables that are altered while the service runs: statements that were prepared before are prepared again."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from app.stores.postgres import Database, SchemaChanged
from app.wiring import App
from tests.support.background_jobs import ask, database_at
from tests.support.service import Service, caller

TO_TEXT = "ALTER TABLE sample ALTER COLUMN value TYPE text"
READ = text("SELECT value FROM sample")
ADD = text("UPDATE sample SET value = value RETURNING value")


@pytest.fixture
async def table(database_url: str) -> str:
    await ask(database_url, "CREATE TABLE sample AS SELECT 7 AS value")
    return database_url


async def add_after_another_statement(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("SELECT 1"))
        await connection.execute(ADD)


async def test_a_statement_outside_of_a_transaction_is_executed_again(table: str):
    async with database_at(table) as database, database.connect() as connection:
        assert (await connection.execute(READ)).scalar_one() == 7
        await ask(table, TO_TEXT)
        assert (await connection.execute(READ)).scalar_one() == "7"


async def test_the_first_statement_of_a_transaction_is_executed_again(table: str):
    async with database_at(table) as database:
        for kind in ("int USING value::int", "text"):
            async with database.begin() as connection:
                before = (await connection.execute(ADD)).scalars().first()
            await ask(table, f"ALTER TABLE sample ALTER COLUMN value TYPE {kind}")
            async with database.begin() as connection:
                after = (await connection.execute(ADD)).scalars().first()
                await connection.execute(text("INSERT INTO sample SELECT value FROM sample"))
            assert str(before) == str(after)
    assert await ask(table, "SELECT count(*) FROM sample") == 4, "both transactions were committed"


@pytest.mark.parametrize("within", [False, True])
async def test_the_drivers_statements_are_executed_again(table: str, within: bool):
    async with database_at(table) as database:
        async with database.driver() as driver:
            await driver.execute(ADD, {})
        await ask(table, TO_TEXT)
        async with database.driver() as driver:
            if within:
                async with driver.transaction():
                    assert (await driver.execute(ADD, {}))[0].value == "7"
            else:
                assert (await driver.execute(ADD, {}))[0].value == "7"


async def test_a_later_statement_of_a_transaction_makes_it_repeatable(table: str):
    async with database_at(table) as database:
        async with database.begin() as connection:
            await connection.execute(ADD)
        await ask(table, TO_TEXT)
        with pytest.raises(SchemaChanged):
            await add_after_another_statement(database)
        async with database.begin() as connection:
            assert (await connection.execute(ADD)).scalar_one() == "7"
        assert not database.breaker.is_open


async def test_no_request_fails_while_columns_change_their_types(service: Service, database_url: str):
    players = [service.player() for _ in range(8)]
    await asyncio.gather(*[player.play() for player in players])
    for kind in ("varchar(70)", "varchar(60)"):
        for change in (
            f"users ALTER COLUMN username TYPE {kind}",
            f"score_transactions ALTER COLUMN action_id TYPE {kind}",
            f"users ADD COLUMN extra_{kind[8:10]} int",
            f"scores ADD COLUMN extra_{kind[8:10]} int",
            f"action_tokens ADD COLUMN extra_{kind[8:10]} int",
        ):
            await ask(database_url, f"ALTER TABLE {change}")
        outcomes = await asyncio.gather(*[player.play() for player in players for _ in range(4)])
        assert {outcome["__typename"] for outcome in outcomes} == {"ScoreAccepted"}


async def test_the_ledger_repeats_what_an_altered_table_has_interrupted(app: App, database_url: str):
    who = caller()
    for kind in ("varchar(70)", "varchar(60)"):
        await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
        await ask(database_url, f"ALTER TABLE users ALTER COLUMN username TYPE {kind}")
    receipt = await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
    assert receipt.new_score == 150
