"""The verification of month files: each by itself, the chains through all of them, and what the database knows."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from uuid import UUID

from app.domain.ledger.transactions import Transaction
from app.models.statements.retention.archived_months import Segment, read_archived_months, read_segments
from app.services.retention.archive_months import Progress
from app.services.retention.month_file import MonthFile, MonthFileError
from app.services.verify import CheckResult
from app.stores.postgres import Database

SEGMENTS_PER_CHUNK = 2000


class VerifyMonths:
    """Verifies month files. Nothing is changed. The files are read once, side by side, and never held in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, files: Sequence[Path], progress: Progress) -> CheckResult:
        """Verify files, and that the ranges of chains in them are those that the database knows.

        Raises:
            ServiceUnavailable: PostgreSQL does not answer.
        """
        result = CheckResult("files", "month files are unaltered, and continue the chains of the database")
        try:
            opened = [await asyncio.to_thread(MonthFile, file) for file in files]
            await self._check_records(opened, result)
            segments = _segments(opened)
            while chunk := await asyncio.to_thread(_take, segments):
                result.checked += sum(segment.last_seq - segment.first_seq + 1 for _, segment in chunk)
                progress("Verifying files", result.checked)
                await self._check_segments(chunk, result)
        except MonthFileError as error:
            result.add_violation(str(error))
        return result

    async def _check_records(self, files: Sequence[MonthFile], result: CheckResult) -> None:
        async with self._database.connect() as connection:
            records = {(record.month, record.part): record for record in await read_archived_months(connection)}
        for file in files:
            record = records.get((file.month, file.part))
            if record is None:
                result.add_violation(f"{file.file}: the database has not archived the month {file.month}")
            elif record.sha256 != file.sha256:
                result.add_violation(f"{file.file}: its SHA-256 is not the one in the database")

    async def _check_segments(self, chunk: Sequence[tuple[UUID, Segment]], result: CheckResult) -> None:
        async with self._database.connect() as connection:
            known = await read_segments(connection, list({user_id for user_id, _ in chunk}))
        for user_id, segment in chunk:
            if not any(_is_within(segment, whole) for whole in known.get(user_id, ())):
                result.add_violation(
                    f"user {user_id}: transactions {segment.first_seq} to {segment.last_seq} of the files do not "
                    "continue the chain in the database"
                )


def _segments(files: Sequence[MonthFile]) -> Iterator[tuple[UUID, Segment]]:
    """Yield the ranges of chains in all files together, in order of user and position.

    Raises:
        MonthFileError: A file is not valid, or a transaction does not continue the one before it.
    """
    merged = heapq.merge(*(file.transactions() for file in files), key=lambda entry: (entry.user_id, entry.seq))
    first: Transaction | None = None
    last: Transaction | None = None
    for entry in merged:
        if first is not None and last is not None:
            if entry.user_id == last.user_id and entry.seq == last.seq + 1:
                if entry.previous_hash != last.hash:
                    raise MonthFileError(
                        f"user {entry.user_id}, transaction {entry.seq} ({entry.id}): its previous hash is not the "
                        "hash of the transaction before it"
                    )
                last = entry
                continue
            yield first.user_id, Segment(first.seq, last.seq, first.previous_hash, last.hash)
        first = last = entry
    if first is not None and last is not None:
        yield first.user_id, Segment(first.seq, last.seq, first.previous_hash, last.hash)


def _is_within(segment: Segment, whole: Segment) -> bool:
    """Return whether a range is a part of another, with the same hashes where their ends are the same."""
    if not whole.first_seq <= segment.first_seq <= segment.last_seq <= whole.last_seq:
        return False
    begins_well = segment.first_seq > whole.first_seq or segment.previous_hash == whole.previous_hash
    return begins_well and (segment.last_seq < whole.last_seq or segment.last_hash == whole.last_hash)


def _take(segments: Iterator[tuple[UUID, Segment]]) -> list[tuple[UUID, Segment]]:
    return list(islice(segments, SEGMENTS_PER_CHUNK))
