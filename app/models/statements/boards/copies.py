"""The statements about the copies in Redis: missed writes, generations of caches, and which PostgreSQL this is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

ABANDONED_AFTER_SECONDS = 10
"""Seconds after which a row that was not renewed belongs to an instance that no longer runs."""

READ_MISSED_WRITES = text(
    """
    SELECT instance_id, category_id, missed_since, renewed_at,
           renewed_at < now() - make_interval(secs => :abandoned_after) AS abandoned
    FROM missed_writes
    """
)
RENEW_MISSED_WRITES = text(
    """
    INSERT INTO missed_writes (instance_id, category_id, missed_since)
    SELECT :instance, category_id, missed_since
    FROM unnest(CAST(:categories AS text[]), CAST(:since AS timestamptz[])) AS m(category_id, missed_since)
    ON CONFLICT (instance_id, category_id) DO UPDATE
    SET missed_since = least(missed_writes.missed_since, excluded.missed_since), renewed_at = now()
    """
)
DELETE_OWN_MISSED_WRITES = text(
    "DELETE FROM missed_writes WHERE instance_id = :instance AND category_id = ANY(CAST(:categories AS text[]))"
)
DELETE_ABANDONED = text(
    """
    DELETE FROM missed_writes WHERE instance_id = :instance AND category_id = :category AND renewed_at = :renewed_at
    """
)
READ_GENERATION = text("SELECT generation FROM cache_generations WHERE name = :name")
SET_GENERATION = text(
    """
    INSERT INTO cache_generations (name, generation) VALUES (:name, gen_random_uuid())
    ON CONFLICT (name) DO UPDATE SET generation = excluded.generation
    """
)
READ_TIMELINE = text(
    """
    SELECT CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
           has_function_privilege('pg_control_system()', 'execute')
    """
)
READ_SYSTEM_IDENTIFIER = text("SELECT system_identifier FROM pg_control_system()")
EXISTING_TRANSACTIONS = text("SELECT id FROM score_transactions WHERE id = ANY(CAST(:ids AS uuid[]))")


@dataclass(frozen=True, slots=True)
class MissedWriteRow:
    """A category that an instance could not write to Redis, since when, and whether that instance no longer runs."""

    instance_id: UUID
    category_id: str
    missed_since: datetime
    renewed_at: datetime
    abandoned: bool


async def read_missed_writes(connection: AsyncConnection) -> list[MissedWriteRow]:
    """Read the missed writes of all instances."""
    rows = await connection.execute(READ_MISSED_WRITES, {"abandoned_after": ABANDONED_AFTER_SECONDS})
    return [MissedWriteRow(*row) for row in rows]


async def renew_missed_writes(connection: AsyncConnection, instance: UUID, missed: Mapping[str, datetime]) -> None:
    """Insert or renew the missed writes of an instance: by category, since when."""
    values = {"instance": instance, "categories": list(missed), "since": list(missed.values())}
    await connection.execute(RENEW_MISSED_WRITES, values)


async def delete_missed_writes(connection: AsyncConnection, instance: UUID, categories: Sequence[str]) -> None:
    """Delete the missed writes of an instance, which it has repaired."""
    await connection.execute(DELETE_OWN_MISSED_WRITES, {"instance": instance, "categories": list(categories)})


async def delete_abandoned(connection: AsyncConnection, row: MissedWriteRow) -> None:
    """Delete the missed write of an instance that no longer runs, unless it was renewed since it was read."""
    values = {"instance": row.instance_id, "category": row.category_id, "renewed_at": row.renewed_at}
    await connection.execute(DELETE_ABANDONED, values)


async def read_generation(connection: AsyncConnection, name: str) -> str:
    """Read the generation of a cache; empty before its first change."""
    generation: UUID | None = (await connection.execute(READ_GENERATION, {"name": name})).scalar_one_or_none()
    return "" if generation is None else generation.hex


async def begin_generation(connection: AsyncConnection, name: str) -> None:
    """Begin a new generation of a cache. It is random, because a restored backup may bring back an earlier one."""
    await connection.execute(SET_GENERATION, {"name": name})


async def read_origin(connection: AsyncConnection) -> str | None:
    """Return which PostgreSQL this is: its system identifier and timeline; None on a server that only replays.

    A restore of a backup and a failover begin a new timeline, and another cluster has another identifier. Without the
    permission to call `pg_control_system` the identifier is left out.
    """
    timeline, may_read = (await connection.execute(READ_TIMELINE)).one()
    if timeline is None:
        return None
    identifier = (await connection.execute(READ_SYSTEM_IDENTIFIER)).scalar_one() if may_read else "unknown"
    return f"{identifier}/{timeline}"


async def read_existing_transactions(connection: AsyncConnection, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of `ids` that are transactions of the ledger."""
    return set((await connection.execute(EXISTING_TRANSACTIONS, {"ids": list(ids)})).scalars())
