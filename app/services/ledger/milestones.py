"""Milestones as a service: each is awarded once, and told to everybody who watches."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ServiceUnavailable
from app.domain.ledger.posting import Posting
from app.domain.players.milestones import Milestone, MilestoneKind, ranks_reached, scores_reached
from app.models.statements.players.milestones import award, milestones_of_leaders
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
CHUNK = 500

Key = tuple[UUID, str, MilestoneKind]


class Milestones:
    """Awards milestones and announces the new ones.

    Guarantees: a threshold is awarded in the very transaction that crosses it. A rank is awarded soon after, from what
    Redis said of it; what a crash or an absence of Redis swallows is made up for by `repair`, for those who still hold
    the rank then. The table decides what is new, so that each is announced by one process, at most once; an
    announcement may be lost with Redis, an award cannot.
    """

    def __init__(
        self, database: Database, publish: Callable[[Milestone], Awaitable[None]], capacity: int = 100_000
    ) -> None:
        """`publish` tells all processes, and raises nothing. `capacity`: how much is remembered, and may wait."""
        self.dropped = 0
        self._database = database
        self._publish = publish
        self._capacity = capacity
        self._awarded: OrderedDict[Key, None] = OrderedDict()
        self._ranks: deque[Milestone] = deque()
        self._news: deque[Milestone] = deque()
        self._work = asyncio.Event()
        self._flushing = asyncio.Lock()

    def are_crossed(self, postings: Iterable[Posting]) -> bool:
        """Whether `award_scores` would ask the database."""
        return any(True for posting in postings for _ in scores_reached(posting))

    async def award_scores(self, connection: AsyncConnection, postings: Iterable[Posting]) -> Sequence[Milestone]:
        """Award the thresholds that `postings` cross, in their transaction; returns the new ones, to `announce`.

        Without a crossing, which is the common case, the database is not asked.
        """
        reached = [one for posting in postings for one in scores_reached(posting)]
        return await award(connection, reached) if reached else ()

    def announce(self, milestones: Iterable[Milestone]) -> None:
        """Have everybody told, after the commit."""
        for milestone in milestones:
            self._add(self._news, milestone)

    def see_rank(self, posting: Posting, rank: int | None) -> None:
        """Have the milestones of a rank awarded, in the background. Costs nothing for ranks that are none."""
        for milestone in ranks_reached(posting, rank):
            key = _key(milestone)
            if key in self._awarded:
                self._awarded.move_to_end(key)
            else:
                self._remember(key)
                self._add(self._ranks, milestone)

    async def run(self) -> None:
        """Award and announce what comes, until cancelled. To be supervised."""
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self.flush()
            except ServiceUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
                self._work.set()

    async def flush(self) -> None:
        """Award and announce all that waits. Raises ServiceUnavailable, and then keeps what is not awarded yet."""
        async with self._flushing:  # One at a time: who waits finds everything done.
            while self._ranks:
                batch = [self._ranks[i] for i in range(min(CHUNK, len(self._ranks)))]
                self._news.extend(await self._award(batch))
                for _ in batch:
                    self._ranks.popleft()
            while self._news:
                await self._publish(self._news.popleft())

    async def repair(self) -> int:
        """Award their ranks to all who stand among the first ten now; returns how many were new."""
        async with self._database.connect() as connection:
            standing = await milestones_of_leaders(connection)
        new = await self._award(standing) if standing else []
        self.announce(new)
        return len(new)

    async def _award(self, milestones: Sequence[Milestone]) -> Sequence[Milestone]:
        async with self._database.begin() as connection:
            return await award(connection, milestones)

    def _remember(self, key: Key) -> None:
        self._awarded[key] = None
        if len(self._awarded) > self._capacity:
            self._awarded.popitem(last=False)

    def _add(self, queue: deque[Milestone], milestone: Milestone) -> None:
        if len(queue) >= self._capacity:
            self.dropped += 1
            log.warning("milestone_dropped", user=str(milestone.user.id), kind=milestone.kind.value)
            return
        queue.append(milestone)
        self._work.set()


def _key(milestone: Milestone) -> Key:
    return milestone.user.id, milestone.category, milestone.kind
