"""The columns of scores become `bigint` while the service writes them, and become `integer` again."""

from __future__ import annotations

import asyncio

import alembic.util
import pytest
from alembic.script import ScriptDirectory

from app.models import migrate
from tests.support.background_jobs import ask
from tests.support.boards.ledgers import breaches
from tests.support.service import caller, opened, settings_for
from tests.support.stores import Databases

BEFORE, REVISION = "0007_profile_changes", "0008_scores_of_53_bits"
TYPES = """
    SELECT string_agg(DISTINCT data_type, ' ') FROM information_schema.columns
    WHERE table_name IN ('scores', 'score_transactions') AND column_name IN ('score', 'sort_key', 'points', 'delta')
"""
LEFT = "SELECT count(*) FROM pg_class WHERE relname LIKE 'new\\_%'"

VERSION = "SELECT version_num FROM alembic_version"


async def undo(url: str) -> str:
    """Make the columns `integer` again, and let this migration alone be due; return the former revision.

    Later migrations stay, because the service needs what they have added.
    """
    module = ScriptDirectory.from_config(migrate.alembic_config(url)).get_revision(REVISION).module
    for table, columns in module.COLUMNS.items():
        changes = ", ".join(f"ALTER COLUMN {column} TYPE integer" for column in columns)
        await ask(url, f"ALTER TABLE {table} {changes}")
    newest = str(await ask(url, VERSION))
    await stamp(url, BEFORE)
    return newest


async def stamp(url: str, revision: str) -> None:
    await ask(url, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608


async def test_players_go_on_while_the_columns_change(databases: Databases, redis_url: str):
    url = await databases.create()
    async with opened(settings_for(url, redis_url)) as app:
        accepted = 0
        done = asyncio.Event()

        async def play() -> None:
            nonlocal accepted
            who = caller()
            while not done.is_set():
                await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
                accepted += 1

        for _ in range(2):
            newest = await undo(url)
            assert await ask(url, TYPES) == "integer"
            done.clear()
            players = [asyncio.create_task(play()) for _ in range(4)]
            await asyncio.to_thread(migrate.upgrade, url, REVISION)
            assert await ask(url, TYPES) == "bigint"
            await stamp(url, newest)
            done.set()
            await asyncio.gather(*players)
        assert accepted > 0
        assert await ask(url, "SELECT count(*) FROM score_transactions") == accepted
        assert await breaches(app) == []
    assert await ask(url, LEFT) == 0
    await databases.drop(url)


async def test_a_change_of_types_that_was_interrupted_is_completed(databases: Databases, redis_url: str):
    url = await databases.create()
    async with opened(settings_for(url, redis_url)) as app:
        who = caller()
        await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
        newest = await undo(url)
        await ask(url, "ALTER TABLE scores ADD COLUMN new_score bigint")
        await ask(url, "CREATE INDEX new_ix_scores_board_order ON scores (new_score)")
        index = "'new_ix_scores_board_order'::regclass"
        await ask(url, f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}")  # noqa: S608
        await asyncio.to_thread(migrate.upgrade, url, REVISION)
        await stamp(url, newest)
        assert await ask(url, TYPES) == "bigint"
        assert await ask(url, LEFT) == 0
        index = await ask(url, "SELECT pg_get_indexdef('ix_scores_board_order'::regclass)")
        assert str(index).endswith("(category_id, period, window_start, hidden, sort_key, reached_at, user_id)")
        assert await breaches(app) == []
    await databases.drop(url)


async def test_a_score_that_the_older_version_cannot_store_is_not_lost(databases: Databases):
    url = await databases.create()
    await ask(url, "UPDATE actions SET points = 2147483648 WHERE id = 'COMPLETE_LEVEL'")
    with pytest.raises(alembic.util.CommandError, match="the table actions has scores above 2147483647"):
        await asyncio.to_thread(migrate.downgrade, url, BEFORE)
    assert await ask(url, TYPES) == "bigint"
    await databases.drop(url)
