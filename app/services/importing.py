"""Import: an archive becomes part of the database, wholly or not at all, and a second time changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import groupby, islice

import asyncpg

from app.domain.catalogue import Category
from app.domain.ledger import Standing
from app.domain.replay import Replay
from app.models.archive import transaction_of
from app.models.staging import Staging
from app.services.archive_lines import ArchiveError, ArchiveReader
from app.services.catalogue import CatalogueService
from app.services.database import Database

Progress = Callable[[str, int, int | None], object]
"""Hears what is being done, how far it is, and how far it has to go if that is known."""

USERS = 1000
"""How many users' chains are replayed at a time."""


class Import:
    """Reads archives.

    Guarantees: every hash is computed anew and every chain is whole, or nothing is imported; a user's chain is only
    ever continued: one that differs from the archive's is an error, one that is longer stays; names and settings of
    users that exist stay as they are; scores are made from the ledger, with their `reached_at`. Of the catalogue the
    archive is right. Redis is for the caller to rebuild.
    """

    def __init__(
        self, database: Database, catalogue: CatalogueService, announce: Callable[[], Awaitable[None]]
    ) -> None:
        """`announce` tells all processes that the catalogue changed."""
        self._database = database
        self._catalogue = catalogue
        self._announce = announce

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
                merged = dict(await staging.merge())
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError) as error:
                raise ArchiveError(f"the archive does not fit this database: {error}") from error
            catalogue = await self._catalogue.read(connection)
            merged["score"] = await self._replay(staging, catalogue.categories, progress)
        await self._catalogue.refresh()
        await self._announce()
        return merged

    async def _stage(self, staging: Staging, lines: Iterable[bytes], progress: Progress) -> None:
        reader = ArchiveReader(lines)
        done = 0
        for batch in reader.batches():
            await staging.add(batch.part, batch.columns, batch.rows)
            done += len(batch.rows)
            progress("Reading", done, reader.expected)

    async def _replay(self, staging: Staging, categories: Mapping[str, Category], progress: Progress) -> int:
        """Make the scores of everybody whose chain grew."""
        affected = await staging.affected()
        remaining = iter(affected)
        done = 0
        while users := list(islice(remaining, USERS)):
            chains = await staging.chains([user.id for user, _, _ in users])
            by_user = {user_id: list(rows) for user_id, rows in groupby(chains, key=lambda row: row["user_id"])}
            standings: list[Standing] = []
            for user, hidden, deleted in users:
                replay = Replay(user, categories)
                for row in by_user.get(user.id, ()):
                    replay.add(transaction_of(row))
                standings += replay.standings(hidden=hidden, deleted=deleted)
            await staging.add_scores(standings)
            done += len(users)
            progress("Scores", done, len(affected))
        return await staging.merge_scores()
