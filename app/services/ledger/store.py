"""STORE, the third phase of the ledger: postings become rows, all of a batch or none."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.events.event import EventType
from app.domain.ledger.posting import Posting
from app.domain.players.milestones import Milestone, scores_reached
from app.models.statements.ledger.store_postings import is_one_statement, new_flags, store
from app.services.ledger.milestones import Milestones
from app.services.outbox.recorder import EventRecorder
from app.stores.postgres import Database

SUSPICIONS = (EventType.COMPLETION_FLAGGED, EventType.COMPLETION_HELD)
"""The types of events about suspicious completions."""


class PostingStore:
    """Stores postings, together with the score milestones that they reach and the events of both."""

    def __init__(self, database: Database, milestones: Milestones, events: EventRecorder) -> None:
        self._database = database
        self._milestones = milestones
        self._events = events

    async def store(self, postings: Sequence[Posting]) -> None:
        """Commit `postings`, at most one per user: with one statement, or in a transaction where more is to be stored.

        Raises:
            ChainMoved: A chain, token or score has changed since its account was loaded.
            IntegrityError: Another transaction has just taken a token, a request key or a place in a chain.
            ServiceUnavailable: PostgreSQL cannot be used. The postings may be committed all the same.
        """
        if is_one_statement(postings) and not any(map(scores_reached, postings)):
            async with self._database.driver() as connection:
                await store(connection, postings, self._events.of_postings(postings))
            return
        async with self._database.begin() as transaction:
            reached = await self.store_in(transaction, postings)
        self._milestones.announce(reached)

    async def store_in(self, connection: AsyncConnection, postings: Sequence[Posting]) -> Sequence[Milestone]:
        """Store `postings` in a transaction of the caller, and return the milestones to announce after its commit."""
        await store_with_events(connection, postings, self._events)
        return await self._milestones.award_scores(connection, postings)


async def store_with_events(connection: AsyncConnection, postings: Sequence[Posting], events: EventRecorder) -> None:
    """Store `postings` with their events in a transaction of the caller. Raises the errors of `store`."""
    await store(connection, postings, events.of_postings(postings))
    if events.records(*SUSPICIONS) and not is_one_statement(postings):
        await events.record_suspicions(connection, postings, await new_flags(connection, postings))
