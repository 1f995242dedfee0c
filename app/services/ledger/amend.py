"""Amendments: changes of a ledger by a moderator's decision, to one user at a time, all or nothing.

Beside `post` the other writer of scores while the service runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ServiceUnavailable, UserNotFound
from app.domain.events.event import Event
from app.domain.ids import uuid7
from app.domain.ledger.commitments import SALT_BYTES
from app.domain.ledger.posting import Account, Posting, ScoreChange, ScoreRequest, note, post
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.models.statements.ledger.amendments import lock_account, score_changes_of
from app.models.statements.ledger.load_accounts import load
from app.runtime import Runtime
from app.services.board_index import is_evicted
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.after_commit import AfterCommit
from app.services.ledger.milestones import Milestones
from app.services.ledger.store import store_with_events
from app.services.outbox.recorder import EventRecorder
from app.stores.postgres import Database


class Amendment:
    """A decision in its transaction: the user is locked, and nothing is committed yet."""

    def __init__(self, connection: AsyncConnection, account: Account, events: EventRecorder, runtime: Runtime) -> None:
        self.connection = connection
        self.account = account
        # Read under the lock, so that the transactions of a chain are in order of time, too.
        self.now = runtime.clock()
        self.postings: list[Posting] = []
        self.score_changes: list[ScoreChange] = []
        self._events = events
        self._runtime = runtime

    async def load(self, request: ScoreRequest) -> Account:
        """Return the account with the scores in the category of `request`."""
        (loaded,) = await load(self.connection, [request], self.now)
        assert loaded.account is not None
        return loaded.account

    async def post(self, request: ScoreRequest, account: Account) -> Posting:
        """Store the transaction of a request, and return its posting."""
        return await self._store(
            post(request, account, self.now, self._new_id(), self._runtime.random_bytes(SALT_BYTES))
        )

    async def note(self, kind: Kind, actor: Actor, reason: str) -> Posting:
        """Store a transaction that concerns the user as a whole, and return its posting."""
        salt = self._runtime.random_bytes(SALT_BYTES)
        return await self._store(note(kind, self.account, actor, reason, self.now, self._new_id(), salt))

    async def change_all_scores(self, statement: TextClause, **values: Any) -> None:
        """Run a statement that changes all scores of the user, of closed windows too, and returns them."""
        user_id = self.account.profile.id
        rows = await self.connection.execute(statement, {"user": user_id, **values})
        self.score_changes += score_changes_of(user_id, rows)

    async def record(self, event: Event) -> None:
        """Record an event of the amendment, if its type is recorded."""
        await self._events.record(self.connection, [event])

    async def _store(self, posting: Posting) -> Posting:
        await store_with_events(self.connection, [posting], self._events)
        self.account = replace(self.account, head=posting.transaction.head)
        self.postings.append(posting)
        return posting

    def _new_id(self) -> UUID:
        return uuid7(self.now, self._runtime.random_bytes)


class Amendments:
    """Begins amendments, and updates Redis and the watchers as soon as they are committed."""

    def __init__(
        self,
        database: Database,
        after_commit: AfterCommit,
        milestones: Milestones,
        catalogue: CatalogueService,
        events: EventRecorder,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._after_commit = after_commit
        self._milestones = milestones
        self._catalogue = catalogue
        self._events = events
        self._runtime = runtime

    @asynccontextmanager
    async def begin(self, user_id: UUID, into: list[Receipt] | None = None) -> AsyncIterator[Amendment]:
        """Lock a user for an amendment, which is committed and announced at the end of the block.

        Args:
            user_id: The user.
            into: A list to which the receipts of the amendment's transactions are added.

        Raises:
            UserNotFound: There is no such user, or it was deleted.
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        try:
            async with self._database.begin() as connection:
                account = await lock_account(connection, user_id)
                if account is None:
                    raise UserNotFound
                amendment = Amendment(connection, account, self._events, self._runtime)
                yield amendment
                reached = await self._milestones.award_scores(connection, amendment.postings)
        except ServiceUnavailable:
            self._after_commit.record_unanswered(self._runtime.clock())
            raise
        self._milestones.announce(reached)
        receipts = await self._announce(amendment)
        if into is not None:
            into += receipts

    async def _announce(self, amendment: Amendment) -> list[Receipt]:
        postings = list(amendment.postings)
        if amendment.score_changes and postings:
            indexed = tuple(self._indexed(amendment.score_changes, amendment.now))
            postings[-1] = replace(postings[-1], score_changes=(*postings[-1].score_changes, *indexed))
        return [await self._after_commit.announce(posting) for posting in postings]

    def _indexed(self, score_changes: Sequence[ScoreChange], now: datetime) -> Iterable[ScoreChange]:
        """Return the changes of boards that Redis may hold."""
        categories = self._catalogue.current.categories
        for change in score_changes:
            board = change.board
            category = categories.get(board.category)
            if category and board.window.period in category.periods and not is_evicted(board, now):
                yield change
