"""Alembic's entry point: runs migrations over asyncpg, on the address that `app.models.migrate` has configured."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, pool

from app.models import Base
from app.models.advisory_locks import AdvisoryLock
from app.models.migrate import check_revision
from app.postgresql.connector import create_engine


def run(connection: Connection) -> None:
    """Run the requested migrations in one transaction. Raises UnknownRevision."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({int(AdvisoryLock.MIGRATIONS)})")
        check_revision(context.get_context().get_current_revision(), context.script)
        context.run_migrations()


async def connect_and_run() -> None:
    """Run the migrations on a separate connection, since they may exceed the timeouts of the service's pool."""
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise RuntimeError("sqlalchemy.url is not set: run `leaderboard migrate`")
    engine = create_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
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
