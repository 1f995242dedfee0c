"""Models and migrations say the same, in both directions."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import Base, migrate
from tests.support.stores import Databases

TABLES = text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, Base.metadata))


async def test_the_models_are_what_the_migrations_make(database_url: str):
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_every_migration_can_be_undone_and_done_again(databases: Databases):
    url = await databases.create()
    await asyncio.to_thread(migrate.downgrade, url)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        assert (await connection.execute(TABLES)).scalar_one() == 1, "only alembic's own table is left"
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
