"""Record when the database was backed up, or was not."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SUCCEEDED = text(
    """
    INSERT INTO backups (kind, succeeded_at, bytes) VALUES (:kind, clock_timestamp(), :bytes)
    ON CONFLICT (kind) DO UPDATE SET succeeded_at = excluded.succeeded_at, bytes = excluded.bytes
    """
)
_FAILED = text(
    """
    INSERT INTO backups (kind, failed_at) VALUES (:kind, clock_timestamp())
    ON CONFLICT (kind) DO UPDATE SET failed_at = excluded.failed_at
    """
)


async def record_success(connection: AsyncConnection, kind: str, size: int) -> None:
    """Record that a backup of `size` bytes is complete and was checked."""
    await connection.execute(_SUCCEEDED, {"kind": kind, "bytes": size})


async def record_failure(connection: AsyncConnection, kind: str) -> None:
    """Record that a backup failed."""
    await connection.execute(_FAILED, {"kind": kind})
