"""The partitions job: every month of the ledger gets a partition long before its first transaction."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from sqlalchemy.exc import DBAPIError, ProgrammingError

from app.models.statements.ledger.partitions import (
    Month,
    create_partition,
    is_lock_timeout,
    read_months_in_default,
    read_partitions,
)
from app.runtime import Runtime
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MONTHS_AHEAD = 3
"""Months after the current one that have a partition."""

MAX_MOVED = 50_000
"""Transactions of one month that are moved out of the default partition; the move is one short transaction."""


class Partitions:
    """Creates the partitions of the ledger. Repeating is harmless, also on several instances at once."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self._database = database
        self._clock = runtime.clock

    async def ensure(self, months: Iterable[Month] = ()) -> int:
        """Create the partitions that are missing, also those of months in the default partition; return how many.

        Args:
            months: Other months that will have transactions.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        async with self._database.connect() as connection:
            existing = set(await read_partitions(connection))
            misplaced = dict(await read_months_in_default(connection, MAX_MOVED + 1))
        current = Month.of(self._clock())
        wanted = {current.after(ahead) for ahead in range(MONTHS_AHEAD + 1)} | set(misplaced) | set(months)
        created = 0
        for month in sorted(wanted - existing):
            if misplaced.get(month, 0) > MAX_MOVED:
                log.error("default_partition_too_large", month=str(month), transactions=misplaced[month])
                continue
            created += await self._create(month)
        return created

    async def _create(self, month: Month) -> bool:
        try:
            async with self._database.begin() as connection:
                moved = await create_partition(connection, month)
        except ProgrammingError:
            return False  # Another instance has just created it.
        except DBAPIError as error:
            if not is_lock_timeout(error):
                raise
            log.warning("partition_postponed", month=str(month), reason="a transaction reads the whole ledger")
            return False
        log.info("partition_created", month=str(month), moved=moved)
        return True
