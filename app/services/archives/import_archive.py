"""The import of an archive: atomic, and idempotent when it is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import Category
from app.domain.catalogue.changes import CatalogueSubject, Change, RecordedChange
from app.domain.ids import uuid7
from app.domain.ledger.posting import ScoreChange
from app.domain.ledger.rescoring import Rescoring
from app.models.statements.archives.archive_format import transaction_of
from app.models.statements.archives.import_staging import AffectedUser, Staging
from app.models.statements.boards.past_boards import BEGINNING, discard_checkpoints_from
from app.models.statements.catalogue.catalogue_documents import lock_catalogue, read_documents, record_change
from app.runtime import Runtime
from app.services.archives.archive_reader import ArchiveError, ArchiveReader
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.partitions import Partitions
from app.stores.postgres import Database

Progress = Callable[[str, int, int | None], object]
"""Called with the name of a step, the number of items that are done, and their total if it is known."""

USERS_PER_BATCH = 500
"""Users whose scores are computed at a time."""


class ArchiveImport:
    """Imports archives.

    Guarantees: nothing is imported unless every hash is correct and every chain is complete. The chain of an existing
    user is only ever continued: a different chain is an error, a longer one stays. Names and settings of existing users
    stay. Scores are computed from the ledger, with their `reached_at`. Categories and actions are replaced by those of
    the archive. The caller must rebuild the board index in Redis afterwards.
    """

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueService,
        partitions: Partitions,
        publish_change: Callable[[], Awaitable[None]],
        runtime: Runtime,
    ) -> None:
        """Create the use case.

        Args:
            database: The database to import into; the timeout of statements is lifted.
            catalogue: The cache that is refreshed after an import.
            partitions: Creates the partitions of the archive's months.
            publish_change: Notifies all processes that the catalogue has changed.
            runtime: The source of time and of ids.
        """
        self._database = database
        self._catalogue = catalogue
        self._partitions = partitions
        self._publish_change = publish_change
        self._runtime = runtime

    async def __call__(self, lines: Iterable[bytes], progress: Progress) -> Mapping[str, int]:
        """Import the lines of an archive; nothing is changed if an error is raised.

        Returns:
            The number of new or changed rows of each part.

        Raises:
            ArchiveError: The archive is invalid, or contradicts the database.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        async with self._database.begin() as connection:
            staging = await Staging.open(connection)
            try:
                await self._stage(staging, lines, progress)
                # Outside of this long transaction, which would keep others from reading the ledger.
                await self._partitions.ensure(await staging.months())
                progress("Checking", 0, None)
                await staging.build_indexes()
                problem = await staging.find_problem()
                if problem is not None:
                    raise ArchiveError(problem)
                progress("Merging", 0, None)
                merged = dict(await self._merge(staging, connection))
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError) as error:
                raise ArchiveError(f"the archive cannot be imported into this database: {error}") from error
            catalogue = await self._catalogue.read(connection)
            for category in catalogue.categories:
                await discard_checkpoints_from(connection, category, BEGINNING.at)
            merged["score"] = await self._rescore(staging, catalogue.categories, progress)
        await self._catalogue.refresh()
        await self._publish_change()
        return merged

    async def _stage(self, staging: Staging, lines: Iterable[bytes], progress: Progress) -> None:
        reader = ArchiveReader(lines)
        batches = reader.batches()
        done = 0
        # In a thread, here and below: hashing thousands of entries and computing scores would block the event loop.
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            await staging.add(batch.part, batch.columns, batch.rows)
            done += len(batch.rows)
            progress("Reading", done, reader.expected)

    async def _merge(self, staging: Staging, connection: AsyncConnection) -> Mapping[str, int]:
        """Merge the staged rows; changes of the catalogue are recorded like any other."""
        await lock_catalogue(connection)
        before = {subject: await read_documents(connection, subject) for subject in CatalogueSubject}
        merged = await staging.merge()
        for subject, documents in before.items():
            known = {document["id"]: document for document in documents}
            for document in await read_documents(connection, subject):
                if document != known.get(document["id"]):
                    now = self._runtime.clock()
                    change = Change(subject, known.get(document["id"]), document)
                    change_id = uuid7(now, self._runtime.random_bytes)
                    await record_change(
                        connection, RecordedChange(change_id, change, None, "operator", "Imported", now)
                    )
        return merged

    async def _rescore(self, staging: Staging, categories: Mapping[str, Category], progress: Progress) -> int:
        """Compute the scores of all users whose chains have grown; return how many are new or changed."""
        affected_users = await staging.affected_users()
        for done in range(0, len(affected_users), USERS_PER_BATCH):
            users = affected_users[done : done + USERS_PER_BATCH]
            chains = await staging.chains([affected.user.id for affected in users])
            await staging.add_scores(await asyncio.to_thread(_compute_scores, users, chains, categories))
            progress("Scores", done + len(users), len(affected_users))
        return await staging.merge_scores()


def _compute_scores(
    users: Sequence[AffectedUser], chains: Sequence[Mapping[str, Any]], categories: Mapping[str, Category]
) -> list[ScoreChange]:
    by_user = {user_id: list(rows) for user_id, rows in groupby(chains, key=lambda row: row["user_id"])}
    score_changes: list[ScoreChange] = []
    for affected in users:
        rescoring = Rescoring(affected.user, categories)
        for row in by_user.get(affected.user.id, ()):
            rescoring.add(transaction_of(row))
        score_changes += rescoring.score_changes(hidden=affected.hidden, deleted=affected.deleted)
    return score_changes
