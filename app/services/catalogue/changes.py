"""Change the catalogue while the service runs: checked, written down with a reason, in force everywhere at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.changes import (
    CatalogueLimits,
    CatalogueSubject,
    Change,
    Document,
    RecordedChange,
    action_change,
    category_change,
    check_reason,
)
from app.domain.errors import BadUserInput
from app.domain.ids import uuid7
from app.domain.ledger.transactions import Actor
from app.models.statements.catalogue.catalogue_documents import (
    highest_score,
    lock_catalogue,
    read_changes,
    read_document,
    read_documents,
    record,
    write_document,
)
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

MAX_CHANGES_PER_PAGE = 100


class CatalogueChanges:
    """Writes categories and actions.

    Guarantees: all documents of one call are applied, or none; who changes at the same time waits; a document that
    changes nothing leaves no trace; this process works by the new catalogue when the call returns, and all others
    within a second (within half a minute while Redis is away).
    """

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueService,
        announce: Callable[[], Awaitable[None]],
        limits: CatalogueLimits,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """`announce` tells all processes that the catalogue changed."""
        self._database = database
        self._catalogue = catalogue
        self._announce = announce
        self._ceilings = limits
        self._clock = clock
        self._random_bytes = random_bytes

    async def apply(
        self, categories: Sequence[Document], actions: Sequence[Document], actor: Actor, reason: str
    ) -> list[Change]:
        """Create or change categories and actions; returns what really changed.

        Raises BadUserInput with every problem of every document, or ServiceUnavailable; then nothing was changed.
        """
        reason = check_reason(reason)
        async with self._database.begin() as connection:
            await lock_catalogue(connection)
            changes = await self._checked(connection, categories, actions)
            for change in changes:
                await write_document(connection, change.subject, change.after)
                now = self._clock()
                number = uuid7(now, self._random_bytes)
                await record(connection, RecordedChange(number, change, actor.id, actor.role, reason, now))
        if changes:
            await self._catalogue.refresh()
            await self._announce()
        return changes

    async def documents(self) -> dict[str, Sequence[Document]]:
        """The whole catalogue, as `apply` takes it."""
        async with self._database.snapshot() as connection:
            return {
                "categories": await read_documents(connection, CatalogueSubject.CATEGORY),
                "actions": await read_documents(connection, CatalogueSubject.ACTION),
            }

    async def changes(self, limit: int, before: UUID | None = None) -> list[RecordedChange]:
        """The newest changes, or those before `before`, the newest first. Raises BadUserInput, ServiceUnavailable."""
        if not 1 <= limit <= MAX_CHANGES_PER_PAGE:
            raise BadUserInput(f"`first` must be between 1 and {MAX_CHANGES_PER_PAGE}.")
        async with self._database.connect() as connection:
            return await read_changes(connection, before, limit)

    async def _checked(
        self, connection: AsyncConnection, categories: Sequence[Document], actions: Sequence[Document]
    ) -> list[Change]:
        known = {one["id"] for one in await read_documents(connection, CatalogueSubject.CATEGORY)}
        checked: dict[tuple[CatalogueSubject, str], Change] = {}
        problems: list[str] = []
        given = ((CatalogueSubject.CATEGORY, categories), (CatalogueSubject.ACTION, actions))
        for subject, document in ((subject, one) for subject, documents in given for one in documents):
            try:
                change = await self._check(connection, subject, document)
                if subject is CatalogueSubject.ACTION and change.after["category"] not in known:
                    raise BadUserInput(f"action {change.id}: there is no category {change.after['category']}.")
                if (subject, change.id) in checked:
                    raise BadUserInput(f"{subject.value} {change.id}: must be given only once.")
            except BadUserInput as problem:
                problems.append(problem.message)
                continue
            checked[subject, change.id] = change
            if subject is CatalogueSubject.CATEGORY:
                known.add(change.id)
        if problems:
            raise BadUserInput("\n".join(problems))
        return [change for change in checked.values() if change.before != change.after]

    async def _check(self, connection: AsyncConnection, subject: CatalogueSubject, document: Document) -> Change:
        before = await read_document(connection, subject, document.get("id"))
        if subject is CatalogueSubject.ACTION:
            return action_change(before, document, self._ceilings)
        change = category_change(before, document, self._ceilings)
        if change.before is not None:
            await _spare_scores(connection, change, change.before)
        return change


async def _spare_scores(connection: AsyncConnection, change: Change, before: Document) -> None:
    """Raise BadUserInput for a change that existing scores would contradict.

    Only a category that is switched off may change its order: whoever still knows it as it was pays nothing into it.
    """
    cap = change.after["scoreCap"]
    if not change.changes_order and cap in (None, before["scoreCap"]):
        return
    highest = await highest_score(connection, change.id)
    if change.changes_order and highest is not None:
        raise BadUserInput(f"category {change.id}: `sortOrder` and `operator` cannot be changed once there are scores.")
    if change.changes_order and before["enabled"]:
        raise BadUserInput(f"category {change.id}: must be disabled before `sortOrder` or `operator` can be changed.")
    if cap is not None and highest is not None and cap < highest:
        raise BadUserInput(f"category {change.id}: `scoreCap` must be at least {highest}, the highest existing score.")
