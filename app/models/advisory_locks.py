"""The advisory locks of the database: one number each, so that no two purposes share one by accident."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")


class AdvisoryLock(IntEnum):
    """The key of a PostgreSQL advisory lock. All keys of the service are listed here, and none is ever reused.

    Keys are per database; the common prefix keeps them apart from those of other programs on the same database.
    """

    MIGRATIONS = 7_220_310_455
    """One process migrates at a time; the others wait, and then find nothing left to do."""
    # 7_220_310_456 elected the instance that runs the jobs, before there were leases.
    SEEDING = 7_220_310_457
    """The demo players are added once."""
    CATALOGUE = 7_220_310_458
    """Changes of the catalogue are made one after the other."""
    IMPORT = 7_220_310_459
    """Imports of archives are made one after the other."""
    CHECKPOINTS = 7_220_310_460
    """The checkpoints of one category are stored one after the other, and not during imports of old transactions."""
    DOCTOR = 7_220_310_461
    """`leaderboard doctor` checks that locks are honoured."""


async def lock_until_commit(connection: AsyncConnection, lock: AdvisoryLock) -> None:
    """Wait for `lock`, and hold it until the end of the transaction."""
    await connection.execute(_LOCK, {"lock": int(lock)})
