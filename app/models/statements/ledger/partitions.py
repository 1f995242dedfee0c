"""The monthly partitions of the ledger: list, create, and fill them with what the default partition holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

LEDGER = "score_transactions"
DEFAULT_PARTITION = f"{LEDGER}_default"
_PARTITION_NAME = re.compile(rf"{LEDGER}_(\d{{4}})_(\d{{2}})")

LOCK_TIMEOUT = "1s"
"""How long a change of the partitions waits for transactions that read the ledger: all others wait behind it."""
LOCK_NOT_AVAILABLE = "55P03"

SELECT_PARTITIONS = text(
    """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'score_transactions'::regclass ORDER BY c.relname
    """
)
# Bounded: the default partition is normally empty.
SELECT_MONTHS_IN_DEFAULT = text(
    f"""
    SELECT date_trunc('month', created_at AT TIME ZONE 'UTC')::date AS month, count(*) AS transactions
    FROM (SELECT created_at FROM {DEFAULT_PARTITION} LIMIT :most) t GROUP BY 1 ORDER BY 1
    """  # noqa: S608 - constants
)


@dataclass(frozen=True, order=True, slots=True)
class Month:
    """A calendar month, in UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: datetime | date) -> Month:
        """Return the month of a moment."""
        at = moment.astimezone(UTC) if isinstance(moment, datetime) else moment
        return cls(at.year, at.month)

    @classmethod
    def parse(cls, text: str) -> Month:
        """Return the month written as `2026-11`. Raises ValueError for anything else."""
        return cls.of(datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC))

    @property
    def first_day(self) -> date:
        """The first day."""
        return date(self.year, self.month, 1)

    @property
    def start(self) -> datetime:
        """The first instant."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return self.after(1).start

    @property
    def partition(self) -> str:
        """The name of its partition."""
        return f"{LEDGER}_{self.year:04d}_{self.month:02d}"

    def after(self, months: int) -> Month:
        """Return the month `months` later, or earlier for a negative number."""
        number = self.year * 12 + self.month - 1 + months
        return Month(number // 12, number % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def is_lock_timeout(error: DBAPIError) -> bool:
    """Return whether a statement waited longer than `LOCK_TIMEOUT`."""
    return getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE


async def limit_lock_waits(connection: AsyncConnection) -> None:
    """Limit how long this transaction waits for a lock, and others behind it, to `LOCK_TIMEOUT`."""
    await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))


async def read_partitions(connection: AsyncConnection) -> list[Month]:
    """Return the months that have a partition, in order."""
    names = (await connection.execute(SELECT_PARTITIONS)).scalars()
    return sorted(Month(*map(int, found.groups())) for name in names if (found := _PARTITION_NAME.fullmatch(name)))


async def read_months_in_default(connection: AsyncConnection, limit: int) -> Sequence[tuple[Month, int]]:
    """Return months without a partition that have transactions, with their number among the first `limit`."""
    rows = await connection.execute(SELECT_MONTHS_IN_DEFAULT, {"most": limit})
    return [(Month.of(row.month), row.transactions) for row in rows]


async def create_partition(connection: AsyncConnection, month: Month) -> int:
    """Create a partition within the transaction of `connection`, and move to it what the default partition holds.

    The table is created beside the ledger and attached, which does not block writers of other partitions.

    Returns:
        The number of transactions that were moved.
    """
    await limit_lock_waits(connection)
    bounds = f"FROM ('{month.start.isoformat()}') TO ('{month.end.isoformat()}')"
    await connection.execute(text("LOCK TABLE score_transactions IN SHARE UPDATE EXCLUSIVE MODE"))
    await connection.execute(text(f"CREATE TABLE {month.partition} (LIKE {LEDGER} INCLUDING ALL)"))
    moved = await connection.execute(
        text(
            f"""
            WITH moved AS (DELETE FROM {DEFAULT_PARTITION} WHERE created_at >= :start AND created_at < :end RETURNING *)
            INSERT INTO {month.partition} SELECT * FROM moved
            """  # noqa: S608 - names that are made here
        ),
        {"start": month.start, "end": month.end},
    )
    await connection.execute(text(f"ALTER TABLE {LEDGER} ATTACH PARTITION {month.partition} FOR VALUES {bounds}"))
    return moved.rowcount
