"""Divide the boards of a category that has scores over another number of shards, while no instance runs."""

from __future__ import annotations

from collections.abc import Callable

from app.domain.catalogue.catalogue import MAX_SHARDS
from app.domain.catalogue.changes import (
    CatalogueLimits,
    CatalogueSubject,
    RecordedChange,
    category_change,
    check_reason,
)
from app.domain.errors import BadUserInput
from app.domain.ids import uuid7
from app.domain.ledger.transactions import Actor
from app.models.statements.catalogue.catalogue_documents import (
    lock_catalogue,
    read_document,
    record_change,
    write_document,
)
from app.runtime import Runtime
from app.services.board_index.layout import windows_in_index
from app.services.board_index.rebuild import Rebuild
from app.services.board_index.shards.loader import SplitIndexLoader
from app.services.catalogue.cache import CatalogueService
from app.stores.lease import Lease
from app.stores.postgres import Database


class ChangeShards:
    """Changes the number of shards of a category.

    An instance that still used the former number would write to copies that nobody else reads, so none may run. The
    leader of the instances holds the lease of the jobs, which shows whether one does.
    """

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueService,
        index_loader: SplitIndexLoader,
        rebuild: Rebuild,
        jobs_lease: Lease,
        limits: CatalogueLimits,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._index_loader = index_loader
        self._rebuild = rebuild
        self._jobs_lease = jobs_lease
        self._limits = limits
        self._runtime = runtime

    async def __call__(
        self, category_id: str, shards: int, actor: Actor, reason: str, progress: Callable[[int], object]
    ) -> int | None:
        """Change the number of shards, load the boards into them, and delete all other copies.

        Args:
            category_id: The category.
            shards: The new number of shards.
            actor: Who changes it, for the audit log.
            reason: Why, for the audit log.
            progress: Called with the number of rows of each chunk that is loaded.

        Returns:
            The number of rows loaded; None if the category has as many shards already.

        Raises:
            CategoryNotFound: There is no such category.
            BadUserInput: The number is out of range, or an instance is running.
            RedisUnreachable: Redis does not answer. The number of shards is unchanged, or the first instance that
                starts loads the boards.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        reason = check_reason(reason)
        category = self._catalogue.current.category(category_id)
        if not 1 <= shards <= MAX_SHARDS:
            raise BadUserInput(f"`shards` must be a whole number from 1 to {MAX_SHARDS}.")
        async with self._jobs_lease.attempt() as lease:
            if lease is None:
                raise BadUserInput(
                    "No instance may run while the number of shards changes. Stop all of them, and wait 10 seconds."
                )
            boards = windows_in_index(category, self._runtime.clock())
            rows = None
            if shards != category.shards:
                # Copies that an earlier change left behind must not be taken for present ones.
                await self._index_loader.delete_copies(category_id, shards, boards)
                await self._store(category_id, shards, actor, reason)
                await self._catalogue.refresh()
                rows = await self._rebuild.rebuild(
                    self._catalogue.current.category(category_id), force=True, progress=progress
                )
            for other in range(1, MAX_SHARDS + 1):
                if other != shards:
                    await self._index_loader.delete_copies(category_id, other, boards)
        return rows

    async def _store(self, category_id: str, shards: int, actor: Actor, reason: str) -> None:
        """Store and record the number of shards."""
        async with self._database.begin() as connection:
            await lock_catalogue(connection)
            before = await read_document(connection, CatalogueSubject.CATEGORY, category_id)
            change = category_change(before, {"id": category_id, "shards": shards}, self._limits)
            await write_document(connection, change.subject, change.after)
            now = self._runtime.clock()
            change_id = uuid7(now, self._runtime.random_bytes)
            await record_change(connection, RecordedChange(change_id, change, actor.id, actor.role, reason, now))
