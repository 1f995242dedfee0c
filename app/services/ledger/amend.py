"""Amendments: changes by decision, to one user at a time, all or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import UserNotFound
from app.domain.ids import uuid7
from app.domain.ledger.posting import Account, Posting, ScoreChange, ScoreRequest, note, post
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.models.statements.ledger.amendments import lock, standings_of
from app.models.statements.ledger.load_accounts import load
from app.models.statements.ledger.store_postings import store
from app.services.board_index import is_evicted
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.after_commit import AfterCommit
from app.services.ledger.milestones import Milestones
from app.stores.postgres import Database


class Amendment:
    """One decision under way: the user is locked, and nothing is committed yet."""

    def __init__(
        self, connection: AsyncConnection, account: Account, now: datetime, random_bytes: Callable[[int], bytes]
    ) -> None:
        self.connection = connection
        self.account = account
        self.now = now
        self.postings: list[Posting] = []
        self.score_changes: list[ScoreChange] = []
        self._random_bytes = random_bytes

    async def load(self, request: ScoreRequest) -> Account:
        """The account with the scores in the claim's category."""
        (loaded,) = await load(self.connection, [request], self.now)
        assert loaded.account is not None
        return loaded.account

    async def post(self, request: ScoreRequest, account: Account) -> Posting:
        """Enter a claim into the ledger."""
        return await self._store(post(request, account, self.now, self._new_id()))

    async def note(self, kind: Kind, actor: Actor, reason: str) -> Posting:
        """Enter into the ledger what concerns the user as a whole."""
        return await self._store(note(kind, self.account, actor, reason, self.now, self._new_id()))

    async def change_all_scores(self, statement: TextClause, **values: Any) -> None:
        """Run a statement over all of the user's scores, of closed windows too, that returns the changed rows."""
        user_id = self.account.profile.id
        rows = await self.connection.execute(statement, {"user": user_id, **values})
        self.score_changes += standings_of(user_id, rows)

    async def _store(self, posting: Posting) -> Posting:
        await store(self.connection, [posting])
        self.account = replace(self.account, head=posting.transaction.head)
        self.postings.append(posting)
        return posting

    def _new_id(self) -> UUID:
        return uuid7(self.now, self._random_bytes)


class Amendments:
    """Begins amendments, and makes what they changed visible everywhere as soon as they are committed."""

    def __init__(
        self,
        database: Database,
        after_commit: AfterCommit,
        milestones: Milestones,
        catalogue: CatalogueService,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._after_commit = after_commit
        self._milestones = milestones
        self._catalogue = catalogue
        self._clock = clock
        self._random_bytes = random_bytes

    @asynccontextmanager
    async def begin(self, user_id: UUID, into: list[Receipt] | None = None) -> AsyncIterator[Amendment]:
        """An amendment of a user. It is committed at the end of the block, and announced before this returns.

        The receipts of its entries are added to `into`. Raises UserNotFound, ServiceUnavailable.
        """
        async with self._database.begin() as connection:
            account = await lock(connection, user_id)
            if account is None:
                raise UserNotFound
            # The clock is read under the lock: entries of a chain are in order of time, too.
            amendment = Amendment(connection, account, self._clock(), self._random_bytes)
            yield amendment
            reached = await self._milestones.award_scores(connection, amendment.postings)
        self._milestones.announce(reached)
        receipts = await self._announce(amendment)
        if into is not None:
            into += receipts

    async def _announce(self, amendment: Amendment) -> list[Receipt]:
        postings = list(amendment.postings)
        if amendment.score_changes and postings:
            shown = tuple(self._in_redis(amendment.score_changes, amendment.now))
            postings[-1] = replace(postings[-1], score_changes=(*postings[-1].score_changes, *shown))
        return [await self._after_commit.announce(posting) for posting in postings]

    def _in_redis(self, score_changes: Sequence[ScoreChange], now: datetime) -> Iterable[ScoreChange]:
        """The rows of boards that Redis may hold."""
        categories = self._catalogue.current.categories
        for standing in score_changes:
            board = standing.board
            category = categories.get(board.category)
            if category and board.window.period in category.periods and not is_evicted(board, now):
                yield standing
