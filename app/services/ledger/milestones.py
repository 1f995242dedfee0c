"""Milestones: each is awarded once, and announced to the subscribers of all processes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ServiceUnavailable
from app.domain.events.facts import milestone_reached
from app.domain.ledger.posting import Posting
from app.domain.players.milestones import Milestone, MilestoneKind, ranks_reached, scores_reached
from app.models.statements.players.milestones import award, milestones_of_leaders
from app.services.outbox.recorder import EventRecorder
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

RETRY_DELAY_SECONDS = 1.0
MAX_AWARDS_PER_TRANSACTION = 500

MilestoneKey = tuple[UUID, str, MilestoneKind]


class Milestones:
    """Awards milestones and announces the new ones.

    Guarantees: a threshold is awarded in the transaction that reaches it. A rank is awarded soon after, by the rank
    that Redis returned; awards that are lost by a crash or an outage of Redis are made by `repair`, for users that
    still hold the rank then. The table decides which milestones are new, so that each is announced by one process, at
    most once; an announcement may be lost with Redis, an award and its event cannot.
    """

    def __init__(
        self,
        database: Database,
        publish: Callable[[Milestone], Awaitable[None]],
        events: EventRecorder,
        capacity: int = 100_000,
    ) -> None:
        """Create the service with empty queues.

        Args:
            database: Where milestones are stored.
            publish: Announces a milestone to all processes, and raises nothing.
            events: Records an event with each new milestone.
            capacity: How many awarded ranks are cached, and how many milestones may wait.
        """
        self.dropped = 0
        self._database = database
        self._publish = publish
        self._events = events
        self._capacity = capacity
        self._awarded: OrderedDict[MilestoneKey, None] = OrderedDict()
        self._reached_ranks: deque[Milestone] = deque()
        self._unannounced: deque[Milestone] = deque()
        self._has_work = asyncio.Event()
        self._flushing = asyncio.Lock()

    async def award_scores(self, connection: AsyncConnection, postings: Iterable[Posting]) -> Sequence[Milestone]:
        """Award the thresholds that `postings` reach, in their transaction, and return the new ones, to `announce`.

        If none is reached, which is the common case, no statement is executed.
        """
        reached = [one for posting in postings for one in scores_reached(posting)]
        return await self._award_in(connection, reached) if reached else ()

    async def award_imported(self, connection: AsyncConnection, postings: Iterable[Posting]) -> None:
        """Award the thresholds of scores of another system, in their transaction, without an event."""
        if reached := [one for posting in postings for one in scores_reached(posting)]:
            await award(connection, reached)

    def announce(self, milestones: Iterable[Milestone]) -> None:
        """Queue new milestones for their announcement, after the commit."""
        for milestone in milestones:
            self._add(self._unannounced, milestone)

    def handle_rank(self, posting: Posting, rank: int | None) -> None:
        """Queue the milestones of the rank that a posting led to; they are awarded in the background."""
        for milestone in ranks_reached(posting, rank):
            key = _key(milestone)
            if key in self._awarded:
                self._awarded.move_to_end(key)
            else:
                self._cache_key(key)
                self._add(self._reached_ranks, milestone)

    async def run(self) -> None:
        """Award and announce queued milestones until cancelled. To be supervised."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            try:
                await self.flush()
            except ServiceUnavailable:
                await asyncio.sleep(RETRY_DELAY_SECONDS)
                self._has_work.set()

    async def flush(self) -> None:
        """Award and announce all queued milestones. Raises ServiceUnavailable; the others stay queued then."""
        async with self._flushing:  # The second caller finds empty queues.
            while self._reached_ranks:
                batch = list(islice(self._reached_ranks, MAX_AWARDS_PER_TRANSACTION))
                self._unannounced.extend(await self._award(batch))
                for _ in batch:
                    self._reached_ranks.popleft()
            while self._unannounced:
                await self._publish(self._unannounced.popleft())

    async def repair(self) -> int:
        """Award the milestones of the present first ten of each board, and return how many were new."""
        async with self._database.connect() as connection:
            present = await milestones_of_leaders(connection)
        new = await self._award(present) if present else []
        self.announce(new)
        return len(new)

    async def _award(self, milestones: Sequence[Milestone]) -> Sequence[Milestone]:
        async with self._database.begin() as connection:
            return await self._award_in(connection, milestones)

    async def _award_in(self, connection: AsyncConnection, milestones: Sequence[Milestone]) -> Sequence[Milestone]:
        new = await award(connection, milestones)
        await self._events.record(connection, map(milestone_reached, new))
        return new

    def _cache_key(self, key: MilestoneKey) -> None:
        self._awarded[key] = None
        if len(self._awarded) > self._capacity:
            self._awarded.popitem(last=False)

    def _add(self, queue: deque[Milestone], milestone: Milestone) -> None:
        if len(queue) >= self._capacity:
            self.dropped += 1
            log.warning("milestone_dropped", user=str(milestone.user.id), kind=milestone.kind.value)
            return
        queue.append(milestone)
        self._has_work.set()


def _key(milestone: Milestone) -> MilestoneKey:
    return milestone.user.id, milestone.category, milestone.kind
