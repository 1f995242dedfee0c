"""The archiving of closed months: to a verified file, and out of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import BadUserInput
from app.domain.ledger.transactions import Transaction
from app.models.statements.ledger.partitions import Month, is_lock_timeout, read_partitions
from app.models.statements.retention.archived_months import (
    MonthFileRecord,
    drop_empty_month,
    next_part,
    replace_month,
    stream_month,
)
from app.runtime import Runtime
from app.services.retention.cleanup import Retention
from app.services.retention.month_file import MonthFile, MonthFileError, MonthFileWriter, file_name
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

T = TypeVar("T")

Progress = Callable[[str, int], object]
"""Called with what is done, and the number of transactions."""

PROGRESS_INTERVAL = 1000
MAX_LOCK_ATTEMPTS = 60
LOCK_RETRY_DELAY = 2.0
"""Seconds between two attempts to lock the ledger."""
READ_CHUNK = 5000
"""Transactions that are verified in a thread at a time."""


class ArchiveMonths:
    """Moves whole months of the ledger to files.

    A month is dropped only after its file was read back and verified, in the transaction that records what the database
    keeps: sums, the ranges of the chains, the file and its hash. Whenever it is interrupted, repeating it is safe: a
    month is either in the database or in a complete file.
    """

    def __init__(self, database: Database, runtime: Runtime, retention: Retention) -> None:
        self._database = database
        self._clock = runtime.clock
        self._retention = retention

    def first_kept(self, months: int) -> Month:
        """Return the first month that is kept if `months` closed months are."""
        return Month.of(self._clock()).after(-months)

    async def __call__(self, folder: Path, before: Month, progress: Progress) -> list[MonthFileRecord]:
        """Archive all months before a month, the oldest first, and return their files.

        Args:
            folder: Where the files are written.
            before: The first month that stays in the database.
            progress: Called for each step.

        Raises:
            BadUserInput: `before` is too recent.
            MonthFileError: A file that was just written is not what it should be. Its month stays in the database.
            MonthChanged: Transactions of the month were added meanwhile. The month stays in the database.
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        last_allowed = Month.of(self._clock() - max(self._retention.request_keys, self._retention.origins))
        if before > last_allowed:
            raise BadUserInput(
                f"The first month that is kept must be {last_allowed} or earlier: addresses and the receipts of "
                "repeated requests are kept in the database as long as the settings say."
            )
        async with self._database.connect() as connection:
            months = [month for month in await read_partitions(connection) if month < before]
        return [record for month in months if (record := await self._archive(folder, month, progress)) is not None]

    async def _archive(self, folder: Path, month: Month, progress: Progress) -> MonthFileRecord | None:
        if await self._with_short_locks(lambda connection: drop_empty_month(connection, month)):
            return None
        async with self._database.connect() as connection:
            part = await next_part(connection, month)
        file = folder / file_name(month, part)
        record = await self._write(file, month, part, progress)
        await self._verify(file, record, progress)
        await self._with_short_locks(lambda connection: replace_month(connection, record, self._clock()))
        log.info("month_archived", month=str(month), file=record.file, transactions=record.transactions)
        return record

    async def _with_short_locks(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do `work` in a transaction, again and again while a long transaction reads the ledger.

        Others wait behind a lock that is waited for, so each attempt gives up soon.
        """
        attempts = 0
        while True:
            try:
                async with self._database.begin() as connection:
                    return await work(connection)
            except DBAPIError as error:
                attempts += 1
                if not is_lock_timeout(error) or attempts == MAX_LOCK_ATTEMPTS:
                    raise
            await asyncio.sleep(LOCK_RETRY_DELAY)

    async def _write(self, file: Path, month: Month, part: int, progress: Progress) -> MonthFileRecord:
        writer = MonthFileWriter(file, month, part)
        try:
            async with self._database.snapshot() as connection:
                async for row in stream_month(connection, month):
                    writer.add(row)
                    if writer.summary.transactions % PROGRESS_INTERVAL == 0:
                        progress(f"Writing {month}", writer.summary.transactions)
            digest = await asyncio.to_thread(writer.finish)
        except BaseException:
            writer.abort()
            raise
        return MonthFileRecord(month, part, file.name, digest, writer.summary.transactions)

    async def _verify(self, file: Path, record: MonthFileRecord, progress: Progress) -> None:
        """Read the file back. Raises MonthFileError unless it is valid, and has what was written."""
        found = await asyncio.to_thread(MonthFile, file)
        transactions = found.transactions()
        count = 0
        while chunk := await asyncio.to_thread(_take, transactions):
            count += len(chunk)
            progress(f"Verifying {record.month}", count)
        if (found.sha256, count) != (record.sha256, record.transactions):
            raise MonthFileError(f"{file}: it is not the file that was written")


def _take(transactions: Iterator[Transaction]) -> list[Transaction]:
    return list(islice(transactions, READ_CHUNK))
