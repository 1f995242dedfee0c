"""Models and migrations say the same, in both directions."""

import asyncio
import operator
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import Base, migrate, revisions
from tests.support.background_jobs import ask
from tests.support.service import caller, opened, settings_for
from tests.support.stores import Databases
from tests.support.wait_until import until_answer

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
    for change in (migrate.upgrade, migrate.downgrade, revisions.read_revisions):
        with pytest.raises(revisions.UnknownRevision, match=f"revision {revision}, .*delete \\.data"):
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
    expected = {"COMPLETE_QUIZ": 10, "COMPLETE_LEVEL": 50, "DAILY_LOGIN": 5, "COMPLETE_MISSION": 25}
    assert expected.items() <= points.items()


NEXT = """
from alembic import op
from app.models.online_ddl import create_index_concurrently

revision = "9001_next"
down_revision = {head!r}
branch_labels = None
depends_on = None
compatible_with = {compatible_with!r}


def upgrade():
    op.execute("ALTER TABLE users ADD COLUMN next int")
    create_index_concurrently("ix_users_next", "users", ["next"])


def downgrade():
    op.execute("ALTER TABLE users DROP COLUMN next")
"""


@pytest.fixture
def newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[None]]:
    """Return a context in which there is one more migration, that is compatible with the given revision."""

    @contextmanager
    def newer(compatible_with: str) -> Iterator[None]:
        folder = tmp_path / compatible_with
        shutil.copytree(revisions.SCRIPTS_FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
        head = ScriptDirectory.from_config(migrate.alembic_config("postgresql://")).get_current_head()
        (folder / "versions" / "9001_next.py").write_text(NEXT.format(head=head, compatible_with=compatible_with))
        with monkeypatch.context() as patched:
            patched.setattr(revisions, "SCRIPTS_FOLDER", folder)
            yield

    return newer


async def test_a_version_uses_a_database_that_a_compatible_newer_version_has_migrated(
    databases: Databases, redis_url: str, newer_version: Callable[[str], AbstractContextManager[None]]
):
    url = await databases.create()
    before = await asyncio.to_thread(revisions.read_revisions, url)
    with newer_version(str(before.newest)):
        await asyncio.to_thread(migrate.upgrade, url)
        found = await asyncio.to_thread(revisions.read_revisions, url)
        assert (found.current, found.is_newer) == ("9001_next", False)
    found = await asyncio.to_thread(revisions.read_revisions, url)
    assert (found.current, found.is_newer, found.are_compatible) == ("9001_next", True, True)
    await asyncio.to_thread(migrate.upgrade, url)  # As before the start of the old version, after a roll-back.
    assert await ask(url, "SELECT version_num FROM alembic_version") == "9001_next"
    async with opened(settings_for(url, redis_url)) as app:
        await app.issue_token(caller(), "COMPLETE_LEVEL")
    await databases.drop(url)


async def test_a_version_refuses_a_database_that_an_incompatible_newer_version_has_migrated(
    databases: Databases, newer_version: Callable[[str], AbstractContextManager[None]]
):
    url = await databases.create()
    with newer_version("9001_next"):
        await asyncio.to_thread(migrate.upgrade, url)
    for change in (migrate.upgrade, migrate.downgrade, revisions.read_revisions):
        with pytest.raises(revisions.UnknownRevision, match="not compatible with this one"):
            await asyncio.to_thread(change, url)
    await databases.drop(url)


async def test_an_invalid_index_is_repaired(
    databases: Databases, newer_version: Callable[[str], AbstractContextManager[None]]
):
    url = await databases.create()
    invalidate = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{}'::regclass"
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    await ask(url, invalidate.format("ix_flags_user_id"))
    await asyncio.to_thread(migrate.upgrade, url)
    assert await ask(url, invalid) == 0
    # One that the creation of an index has left, when it was interrupted before its migration was complete.
    await ask(url, "CREATE INDEX ix_users_next ON users (id)")
    await ask(url, invalidate.format("ix_users_next"))
    with newer_version("0001_baseline"):
        await asyncio.to_thread(migrate.upgrade, url)
    assert await ask(url, invalid) == 0
    assert "(next)" in str(await ask(url, "SELECT pg_get_indexdef('ix_users_next'::regclass)"))
    await databases.drop(url)


async def test_a_migration_waits_briefly_for_its_locks_and_is_tried_again(
    databases: Databases, newer_version: Callable[[str], AbstractContextManager[None]]
):
    url = await databases.create()
    engine = create_async_engine(url)
    with newer_version("0001_baseline"):
        async with engine.begin() as connection:
            await connection.execute(text("LOCK TABLE users IN ACCESS SHARE MODE"))
            migration = asyncio.create_task(asyncio.to_thread(migrate.upgrade, url))
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'"
            )
            await until_answer(lambda: ask(url, waiting), bool)
            await until_answer(lambda: ask(url, waiting), operator.not_)  # It has given way to what waits behind it.
            assert not migration.done()
        await migration
    assert await ask(url, "SELECT version_num FROM alembic_version") == "9001_next"
    await engine.dispose()
    await databases.drop(url)


async def test_nothing_is_lost_and_nothing_fails_while_the_service_writes_during_a_migration(
    databases: Databases, redis_url: str, newer_version: Callable[[str], AbstractContextManager[None]]
):
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

        newest = (await asyncio.to_thread(revisions.read_revisions, url)).newest
        players = [asyncio.create_task(play()) for _ in range(8)]
        with newer_version("0001_baseline"):
            for _ in range(3):
                await asyncio.to_thread(migrate.upgrade, url)
                await asyncio.to_thread(migrate.downgrade, url, str(newest))
        done.set()
        await asyncio.gather(*players)
        assert accepted > 0
        assert await ask(url, "SELECT count(*) FROM score_transactions") == accepted
    await databases.drop(url)
