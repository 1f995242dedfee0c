"""Changes of the catalogue while the service runs: validated, recorded with a reason, and applied by all processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
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
from app.domain.errors import BadUserInput, ServiceUnavailable
from app.domain.events.facts import catalogue_changed
from app.domain.ids import uuid7
from app.domain.ledger.transactions import Actor
from app.models.statements.catalogue.catalogue_documents import (
    find_change,
    highest_score,
    lock_catalogue,
    read_changes,
    read_document,
    read_documents,
    record_change,
    write_document,
)
from app.runtime import Runtime
from app.services.catalogue.cache import CatalogueService
from app.services.outbox.recorder import EventRecorder
from app.stores.postgres import Database

MAX_CHANGES_PER_PAGE = 100
"""Recorded changes per page."""


class CatalogueChanges:
    """Writes categories and actions.

    Guarantees: all documents of one call are applied, or none; concurrent changes wait for each other; a document that
    changes nothing is not recorded; this process uses the new catalogue when the call returns, and all others within
    a second (within half a minute while Redis is not reachable).
    """

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueService,
        publish_change: Callable[[], Awaitable[None]],
        limits: CatalogueLimits,
        events: EventRecorder,
        runtime: Runtime,
    ) -> None:
        """Create the use case.

        Args:
            database: The database of the catalogue.
            catalogue: The cache that is refreshed after a change.
            publish_change: Notifies all processes that the catalogue has changed.
            limits: The bounds of scores and points in this installation.
            events: Records an event with each change.
            runtime: The source of time and of ids.
        """
        self._database = database
        self._catalogue = catalogue
        self._publish_change = publish_change
        self._limits = limits
        self._events = events
        self._runtime = runtime

    async def apply(
        self, categories: Sequence[Document], actions: Sequence[Document], actor: Actor, reason: str
    ) -> list[Change]:
        """Create or change categories and actions; nothing is changed if an error is raised.

        Returns:
            The changes, without documents that equal the present state.

        Raises:
            BadUserInput: A document is invalid. The message has every problem of every document.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        reason = check_reason(reason)
        try:
            async with self._database.begin() as connection:
                await lock_catalogue(connection)
                changes = await self._validate_all(connection, categories, actions)
                for change in changes:
                    await write_document(connection, change.subject, change.after)
                    now = self._runtime.clock()
                    change_id = uuid7(now, self._runtime.random_bytes)
                    recorded = RecordedChange(change_id, change, actor.id, actor.role, reason, now)
                    await record_change(connection, recorded)
                    await self._events.record(connection, [catalogue_changed(recorded)])
        except ServiceUnavailable:
            await self._announce()  # It may have been committed nevertheless.
            raise
        if changes:
            await self._announce()
            await self._catalogue.refresh()
        return changes

    async def _announce(self) -> None:
        self._catalogue.outdated.set()
        await self._publish_change()

    async def documents(self) -> dict[str, Sequence[Document]]:
        """Return the whole catalogue, in the form that `apply` accepts."""
        async with self._database.snapshot() as connection:
            return {
                "categories": await read_documents(connection, CatalogueSubject.CATEGORY),
                "actions": await read_documents(connection, CatalogueSubject.ACTION),
            }

    async def change(self, change_id: UUID) -> RecordedChange | None:
        """Return the recorded change with this id, or None. Raises ServiceUnavailable."""
        async with self._database.connect() as connection:
            return await find_change(connection, change_id)

    async def changes(self, limit: int, before: UUID | None = None) -> tuple[list[RecordedChange], bool]:
        """Return recorded changes, the newest first, and whether there are more.

        Args:
            limit: The maximum number of changes.
            before: The id of the last change of the page before; None for the first page.

        Raises:
            BadUserInput: The limit is out of range.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        if not 1 <= limit <= MAX_CHANGES_PER_PAGE:
            raise BadUserInput(f"The number of changes must be between 1 and {MAX_CHANGES_PER_PAGE}.")
        async with self._database.connect() as connection:
            changes = await read_changes(connection, before, limit + 1)
        return changes[:limit], len(changes) > limit

    async def _validate_all(
        self, connection: AsyncConnection, categories: Sequence[Document], actions: Sequence[Document]
    ) -> list[Change]:
        category_ids = {document["id"] for document in await read_documents(connection, CatalogueSubject.CATEGORY)}
        changes: dict[tuple[CatalogueSubject, str], Change] = {}
        problems: list[str] = []
        given = ((CatalogueSubject.CATEGORY, categories), (CatalogueSubject.ACTION, actions))
        for subject, document in ((subject, document) for subject, documents in given for document in documents):
            try:
                change = await self._validate(connection, subject, document)
                if subject is CatalogueSubject.ACTION and change.after["category"] not in category_ids:
                    raise BadUserInput(f"action {change.id}: there is no category {change.after['category']}.")
                if (subject, change.id) in changes:
                    raise BadUserInput(f"{subject.value} {change.id}: must be given only once.")
            except BadUserInput as problem:
                problems.append(problem.message)
                continue
            changes[subject, change.id] = change
            if subject is CatalogueSubject.CATEGORY:
                category_ids.add(change.id)
        if problems:
            raise BadUserInput("\n".join(problems))
        return [change for change in changes.values() if change.before != change.after]

    async def _validate(self, connection: AsyncConnection, subject: CatalogueSubject, document: Document) -> Change:
        before = await read_document(connection, subject, document.get("id"))
        if subject is CatalogueSubject.ACTION:
            return action_change(before, document, self._limits)
        change = category_change(before, document, self._limits)
        if change.before is not None:
            await _require_consistent_scores(connection, change, change.before)
        return change


async def _require_consistent_scores(connection: AsyncConnection, change: Change, before: Document) -> None:
    """Raise BadUserInput for a change that contradicts existing scores, or their copies in Redis.

    Only a disabled category may change its order, so that processes which still have the old one award nothing in it.
    """
    if change.after["shards"] != before["shards"]:
        raise BadUserInput(
            f"category {change.id}: `shards` must be changed with `leaderboard split`, while no instance runs."
        )
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
