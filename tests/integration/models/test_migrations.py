"""Models and migrations say the same, in both directions."""

import asyncio
import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import Base, migrate
from tests.support.stores import Databases

CONSTRAINTS = text(
    """
    SELECT conrelid::regclass::text AS table, conname AS name, contype::text AS kind FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'f', 'c', 'u')
      AND conrelid::regclass::text NOT LIKE 'score\\_transactions\\_%'
    UNION ALL
    SELECT tablename, indexname, CASE WHEN indexdef LIKE 'CREATE UNIQUE%' THEN 'u' ELSE 'i' END FROM pg_indexes
    WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint)
      AND tablename NOT LIKE 'score\\_transactions\\_%'
    """
)
COLUMNS = text(
    """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name NOT LIKE 'score\\_transactions\\_%'
    ORDER BY table_name, ordinal_position
    """
)
LEFT = text(
    """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ORDER BY 1
    """
)


OPTIONS = {"compare_type": True, "compare_server_default": True, "include_name": migrate.is_described_by_models}


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts=OPTIONS)
    return list(compare_metadata(context, Base.metadata))


async def test_the_models_are_what_the_migrations_make(database_url: str):
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_columns_have_the_same_order_in_models_and_tables(database_url: str):
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(COLUMNS)]
    await engine.dispose()
    tables = sorted(Base.metadata.tables.values(), key=lambda table: table.name)
    assert [row for row in rows if row[0] != "alembic_version"] == [
        (table.name, column.name) for table in tables for column in table.c
    ]


async def test_constraints_and_indexes_are_named_by_the_convention(database_url: str):
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        rows = [row for row in await connection.execute(CONSTRAINTS) if row.table != "alembic_version"]
    await engine.dispose()
    assert {row.kind for row in rows} == {"p", "f", "c", "u", "i"}
    prefixes = {"p": "pk", "f": "fk", "c": "ck", "u": "uq", "i": "ix"}
    assert [row for row in rows if not re.fullmatch(f"{prefixes[row.kind]}_{row.table}(_[a-z_]+)?", row.name)] == []


# Each was a revision before the first release, and the last one is of a version that is still to come.
@pytest.mark.parametrize("revision", ["0001", "0007", "9999_from_the_future"])
async def test_a_database_at_an_unknown_revision_is_left_alone(databases: Databases, revision: str):
    url = await databases.create()
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    for change in (migrate.upgrade, migrate.downgrade, migrate.read_revisions):
        with pytest.raises(migrate.UnknownRevision, match=f"revision {revision}, .*delete \\.data"):
            await asyncio.to_thread(change, url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
    await databases.drop(url)


async def test_every_migration_can_be_undone_and_done_again(databases: Databases):
    url = await databases.create()
    await asyncio.to_thread(migrate.downgrade, url)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        left = (await connection.execute(LEFT)).scalars().all()
    assert left == ["alembic_version", "alembic_version_pkc"], "only what Alembic itself needs is left"
    await asyncio.to_thread(migrate.upgrade, url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
    await databases.drop(url)


async def test_the_first_catalogue_has_the_promised_categories_and_actions(database_url: str):
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        categories = (await connection.execute(text("SELECT id FROM categories ORDER BY id"))).scalars().all()
        points = dict((await connection.execute(text("SELECT id, points FROM actions"))).all())
    await engine.dispose()
    assert categories == ["arcade", "global", "puzzle"]
    expected = {"COMPLETE_QUIZ": 10, "COMPLETE_LEVEL": 50, "DAILY_LOGIN": 5, "COMPLETE_MISSION": 100}
    assert expected.items() <= points.items()
