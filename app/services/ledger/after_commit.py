"""After the commit: committed postings update the boards in Redis, and the ranks in its reply complete the receipts.

The same script publishes the change to all processes. This process also reports it to its own hub at once, so that the
readers of a process see what the process wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

import structlog

from app.domain.boards.board import Board
from app.domain.ledger.posting import Posting, ScoreChange
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Transaction
from app.pubsub.channels.events import BoardMoved
from app.services.board_index import BoardIndex, BoardNotLoaded, PutResult, Ranks
from app.stores.batching import Batcher
from app.stores.redis_caller import RedisUnreachable
from app.telemetry.metrics.histogram import Histogram

log = structlog.get_logger(__name__)


class AfterCommit:
    """Puts committed postings into the board index, many to a call.

    Nothing here can fail a posting. Updates that Redis misses are counted, and repaired from PostgreSQL later; until
    then nobody reads the boards of their category from Redis.
    """

    def __init__(
        self,
        board_index: BoardIndex,
        on_moved: Callable[[Sequence[BoardMoved]], None],
        on_not_loaded: Callable[[], None],
        on_ranked: Callable[[Posting, int | None], None],
        on_missed: Callable[[str, datetime], Awaitable[object]],
        on_not_put: Callable[[Collection[Board]], None],
        on_unanswered: Callable[[datetime], None],
        *,
        max_batch_size: int,
    ) -> None:
        """Configure the updates.

        Args:
            board_index: The boards in Redis.
            on_moved: Called with the boards that a batch has changed.
            on_not_loaded: Called when a category is not loaded in Redis, to request its rebuild.
            on_ranked: Called with each posting and the rank that it led to.
            on_missed: Awaited with the category of postings that Redis missed, and the time of the first of them.
            on_not_put: Called with the boards of postings that Redis does not have, for whichever reason.
            on_unanswered: Called with the time of a commit that PostgreSQL did not answer.
            max_batch_size: How many postings may share one call.
        """
        self.missed = 0
        """How many updates Redis has missed, one per call and user."""
        self._board_index = board_index
        self._on_moved = on_moved
        self._on_not_loaded = on_not_loaded
        self._on_ranked = on_ranked
        self._on_missed = on_missed
        self._on_not_put = on_not_put
        self._on_unanswered = on_unanswered
        self.phases = {phase: Histogram() for phase in ("put_queue", "put")}
        """Seconds that each posting waits for its update of Redis, and that the update takes."""
        self._queue = Batcher(
            self._put,
            max_batch_size=max_batch_size,
            max_concurrent=1,
            key=None,
            name="board index update",
            waits=self.phases["put_queue"],
        )

    def announce(self, posting: Posting) -> asyncio.Future[Receipt]:
        """Return the future receipt, which has ranks if Redis replies. The update runs even if nobody awaits it."""
        return self._queue.enqueue(posting)

    def record_unanswered(self, since: datetime) -> None:
        """Take note of a commit without an answer: if it has happened, Redis must learn of it without being told."""
        self._on_unanswered(since)

    async def drain(self) -> None:
        """Return when no update is under way."""
        await self._queue.drain()

    async def _put(self, postings: Sequence[Posting]) -> Sequence[Receipt]:
        """Return a receipt per posting. Raises nothing: the postings are committed, and their callers must know."""
        started = asyncio.get_running_loop().time()
        ranks: dict[int, Ranks] = {}
        by_category: dict[str, list[tuple[int, ScoreChange]]] = {}
        for index, posting in enumerate(postings):
            for change in posting.score_changes:
                by_category.setdefault(change.board.category, []).append((index, change))
        for rows in by_category.values():
            try:
                ranks |= await self._put_category(rows, postings)
            except Exception:
                log.exception("standings_put_failed")
        self.phases["put"].observe(asyncio.get_running_loop().time() - started, len(postings))
        return [self._receipt(posting, ranks.get(index, Ranks())) for index, posting in enumerate(postings)]

    def _receipt(self, posting: Posting, ranks: Ranks) -> Receipt:
        try:
            self._on_ranked(posting, ranks.after)
        except Exception:
            log.exception("rank_not_seen")
        return posting.receipt(ranks.before, ranks.after)

    async def _put_category(
        self, rows: Sequence[tuple[int, ScoreChange]], postings: Sequence[Posting]
    ) -> dict[int, Ranks]:
        """Return the ranks of those postings, by their index, that Redis has taken."""
        transactions = [postings[index].transaction for index, _ in rows]
        oldest, newest = min(transactions, key=_created_at), max(transactions, key=_created_at)
        outcome = await self.put([change for _, change in rows], oldest.created_at, newest.id)
        if outcome is None:
            return {}
        # The ALL_TIME row comes first in each posting: its ranks are those of the receipt.
        first_ranks: dict[int, Ranks] = {}
        for (index, _), row_ranks in zip(rows, outcome.ranks, strict=True):
            first_ranks.setdefault(index, row_ranks)
        return first_ranks

    async def put(
        self, changes: Sequence[ScoreChange], since: datetime, transaction_id: UUID | None = None
    ) -> PutResult | None:
        """Put rows of one category that are committed, and report what they changed.

        Args:
            changes: The rows.
            since: When the first of them was committed, for the repair if Redis does not take them.
            transaction_id: The newest transaction that they come from.

        Returns:
            The result; None if Redis did not take them, or does not have the category.
        """
        boards = {change.board for change in changes}
        try:
            outcome = await self._board_index.put(changes, transaction_id)
        except BoardNotLoaded:
            self._on_not_loaded()
            self._on_not_put(boards)
        except Exception as error:
            if not isinstance(error, RedisUnreachable):
                log.exception("standings_put_failed")
            self.missed += len({change.user_id for change in changes})
            await self._on_missed(changes[0].board.category, since)
            self._on_not_put(boards)
        else:
            self._on_moved(outcome.moves)
            return outcome
        return None


def _created_at(transaction: Transaction) -> datetime:
    return transaction.created_at
