"""The statements about API keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Who uses a key that has expired is told so for a while, and is not taken for somebody who guesses.
_ACTIVE = text(
    """
    SELECT id, name, role, hash, expires_at FROM api_keys
    WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now() - interval '30 days')
    ORDER BY created_at, id LIMIT :max_keys
    """
)
_ALL = text(
    """
    SELECT id, name, role, hint, created_at, expires_at, revoked_at, last_used_at FROM api_keys
    ORDER BY created_at, id
    """
)
_INSERT = text(
    """
    INSERT INTO api_keys (id, name, role, hash, hint, created_at, expires_at)
    SELECT :id, :name, :role, :hash, :hint, :created_at, :expires_at
    WHERE (
        SELECT count(*) FROM api_keys
        WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now() - interval '30 days')
    ) < :max_keys
    RETURNING id
    """
)
_REVOKE = text(
    "UPDATE api_keys SET revoked_at = :now WHERE id = ANY(CAST(:ids AS uuid[])) AND revoked_at IS NULL RETURNING id"
)
_NOTE_USES = text("UPDATE api_keys SET last_used_at = now() WHERE id = ANY(CAST(:ids AS uuid[]))")


@dataclass(frozen=True, slots=True)
class ActiveKey:
    """A key that was not revoked; it may have expired in the last 30 days."""

    id: UUID
    name: str
    role: str
    hash: bytes
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known about a key, without its hash."""

    id: UUID
    name: str
    role: str
    hint: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


async def read_active_keys(connection: AsyncConnection, max_keys: int) -> list[ActiveKey]:
    """Return the active keys, at most `max_keys`."""
    return [ActiveKey(*row) for row in await connection.execute(_ACTIVE, {"max_keys": max_keys})]


async def read_all_keys(connection: AsyncConnection) -> list[KeyRecord]:
    """Return all keys, also those that have ended, the oldest first."""
    return [KeyRecord(*row) for row in await connection.execute(_ALL)]


async def insert_key(connection: AsyncConnection, record: KeyRecord, digest: bytes, max_keys: int) -> bool:
    """Insert a key unless there are `max_keys` active ones; return whether it was inserted."""
    inserted = await connection.execute(
        _INSERT,
        {
            "id": record.id,
            "name": record.name,
            "role": record.role,
            "hash": digest,
            "hint": record.hint,
            "created_at": record.created_at,
            "expires_at": record.expires_at,
            "max_keys": max_keys,
        },
    )
    return inserted.first() is not None


async def revoke_keys(connection: AsyncConnection, ids: Sequence[UUID], now: datetime) -> int:
    """Revoke keys, and return how many were not revoked before."""
    return len((await connection.execute(_REVOKE, {"ids": list(ids), "now": now})).all())


async def note_uses(connection: AsyncConnection, ids: Sequence[UUID]) -> None:
    """Note that keys were used now."""
    await connection.execute(_NOTE_USES, {"ids": list(ids)})
