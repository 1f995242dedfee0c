"""Alembic's entry point: runs migrations over asyncpg, on the address that `app.models.migrate` has configured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.models import Base
from app.models.advisory_locks import AdvisoryLock
from app.models.migrate import is_described_by_models
from app.models.online_ddl import repair_indexes
from app.models.revisions import check_revision
from app.postgresql.connector import Connector, create_engine
from app.postgresql.url import parse_database_url

LOCK_TIMEOUT = "3s"
"""How long a migration waits for a lock: until then, everything that comes after it waits behind it."""

TRY_LOCK = text(f"SELECT pg_try_advisory_xact_lock({int(AdvisoryLock.MIGRATIONS)})")
TABLE_EXISTS = text("SELECT to_regclass('schema_revisions') IS NOT NULL")
APPLIED = text("INSERT INTO schema_revisions (revision, compatible_with) VALUES (:revision, :compatible_with)")
UNDONE = text("DELETE FROM schema_revisions WHERE revision = :revision")


def record(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    """Record in the transaction of a migration which versions can use its result."""
    if not ctx.connection.execute(TABLE_EXISTS).scalar_one():
        return
    revision = step.up_revision_id
    ctx.connection.execute(UNDONE, {"revision": revision})
    if step.is_upgrade:
        compatible_with = getattr(step.up_revision.module, "compatible_with", revision)
        ctx.connection.execute(APPLIED, {"revision": revision, "compatible_with": compatible_with})


def run(connection: Connection) -> None:
    """Run the requested migrations, each in a transaction of its own. Raises UnknownRevision."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        include_name=is_described_by_models,
        transaction_per_migration=True,
        on_version_apply=record,
    )
    check_revision(context.get_context().get_current_revision())
    connection.rollback()  # Otherwise the transaction of this read would be that of all migrations.
    with context.begin_transaction():
        context.run_migrations()


@asynccontextmanager
async def locked(engine: AsyncEngine) -> AsyncIterator[None]:
    """Let one process migrate at a time; the others wait.

    The lock is that of a transaction, so that it works through a pooler. It is asked for again and again, each time in
    a new transaction: one that waits keeps a snapshot, for which CREATE INDEX CONCURRENTLY would wait in turn.
    """
    async with engine.connect() as connection:
        while not (await connection.execute(TRY_LOCK)).scalar_one():
            await connection.rollback()
            await asyncio.sleep(0.2)
        # A statement that the driver has prepared keeps its snapshot until the next one, which is not prepared.
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.execute("SELECT 1")
        yield


async def connect_and_run() -> None:
    """Run the migrations on a separate connection, since they may exceed the timeouts of the service's pool."""
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise RuntimeError("sqlalchemy.url is not set: run `leaderboard migrate`")
    connector = Connector(
        parse_database_url(url), 10, None, "leaderboard migrate", session={"lock_timeout": LOCK_TIMEOUT}
    )
    # Its transaction is idle for as long as the migrations take.
    idle = {"idle_in_transaction_session_timeout": "0"}
    lock_connector = Connector(parse_database_url(url), 10, None, "leaderboard migrate", session=idle)
    engine = create_engine(url, connector, poolclass=pool.NullPool)
    try:
        async with locked(create_engine(url, lock_connector, poolclass=pool.NullPool)):
            async with engine.connect() as connection:
                await connection.run_sync(run)
                await connection.commit()
            if not connector.has_pooler:
                autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
                async with autocommit.connect() as connection:
                    await connection.run_sync(repair_indexes)
    finally:
        await engine.dispose()


connection = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
elif context.is_offline_mode():
    context.configure(url=context.config.get_main_option("sqlalchemy.url"), target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(connect_and_run())
