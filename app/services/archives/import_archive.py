"""Import: an archive becomes part of the database, wholly or not at all, and a second time changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import Category
from app.domain.catalogue.changes import CatalogueSubject, Change, RecordedChange
from app.domain.ids import uuid7
from app.domain.ledger.posting import ScoreChange
from app.domain.ledger.rescoring import Rescoring
from app.models.statements.archives.archive import transaction_of
from app.models.statements.archives.import_staging import AffectedUser, Staging
from app.models.statements.catalogue.catalogue_documents import lock_catalogue, read_documents, record
from app.services.archives.archive_reader import ArchiveError, ArchiveReader
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

Progress = Callable[[str, int, int | None], object]
"""Hears what is being done, how far it is, and how far it has to go if that is known."""

USERS = 500
"""How many users' chains are replayed at a time."""


class ArchiveImport:
    """Reads archives.

    Guarantees: every hash is computed anew and every chain is whole, or nothing is imported; a user's chain is only
    ever continued: one that differs from the archive's is an error, one that is longer stays; names and settings of
    users that exist stay as they are; scores are made from the ledger, with their `reached_at`. Of the catalogue the
    archive is right. Redis is for the caller to rebuild.
    """

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueService,
        announce: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """`announce` tells all processes that the catalogue changed."""
        self._database = database
        self._catalogue = catalogue
        self._announce = announce
        self._clock = clock
        self._random_bytes = random_bytes

    async def __call__(self, lines: Iterable[bytes], progress: Progress) -> Mapping[str, int]:
        """Import the lines of an archive; returns how many rows of each part are new or different.

        Raises ArchiveError, which says what is wrong with which line, or ServiceUnavailable; then nothing was changed.
        The database should allow for statements that take long.
        """
        async with self._database.begin() as connection:
            staging = await Staging.open(connection)
            try:
                await self._stage(staging, lines, progress)
                progress("Checking", 0, None)
                await staging.index()
                problem = await staging.problem()
                if problem is not None:
                    raise ArchiveError(problem)
                progress("Merging", 0, None)
                merged = dict(await self._merge(staging, connection))
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError) as error:
                raise ArchiveError(f"the archive cannot be imported into this database: {error}") from error
            catalogue = await self._catalogue.read(connection)
            merged["score"] = await self._rescore(staging, catalogue.categories, progress)
        await self._catalogue.refresh()
        await self._announce()
        return merged

    async def _stage(self, staging: Staging, lines: Iterable[bytes], progress: Progress) -> None:
        reader = ArchiveReader(lines)
        batches = reader.batches()
        done = 0
        # In a thread, here and below: hashing and replaying thousands of entries would hold up the event loop.
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            await staging.add(batch.part, batch.columns, batch.rows)
            done += len(batch.rows)
            progress("Reading", done, reader.expected)

    async def _merge(self, staging: Staging, connection: AsyncConnection) -> Mapping[str, int]:
        """Merge what is staged; what that does to the catalogue is written down as any change of it."""
        await lock_catalogue(connection)
        before = {subject: await read_documents(connection, subject) for subject in CatalogueSubject}
        merged = await staging.merge()
        for subject, documents in before.items():
            known = {document["id"]: document for document in documents}
            for document in await read_documents(connection, subject):
                if document != known.get(document["id"]):
                    now = self._clock()
                    change = Change(subject, known.get(document["id"]), document)
                    number = uuid7(now, self._random_bytes)
                    await record(connection, RecordedChange(number, change, None, "operator", "Imported", now))
        return merged

    async def _rescore(self, staging: Staging, categories: Mapping[str, Category], progress: Progress) -> int:
        """Make the scores of everybody whose chain grew."""
        affected = await staging.affected()
        for done in range(0, len(affected), USERS):
            users = affected[done : done + USERS]
            chains = await staging.chains([one.user.id for one in users])
            await staging.add_scores(await asyncio.to_thread(_standings, users, chains, categories))
            progress("Scores", done + len(users), len(affected))
        return await staging.merge_scores()


def _standings(
    users: Sequence[AffectedUser], chains: Sequence[Mapping[str, Any]], categories: Mapping[str, Category]
) -> list[ScoreChange]:
    by_user = {user_id: list(rows) for user_id, rows in groupby(chains, key=lambda row: row["user_id"])}
    score_changes: list[ScoreChange] = []
    for one in users:
        replay = Rescoring(one.user, categories)
        for row in by_user.get(one.user.id, ()):
            replay.add(transaction_of(row))
        score_changes += replay.score_changes(hidden=one.hidden, deleted=one.deleted)
    return score_changes
