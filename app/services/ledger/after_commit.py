"""After the commit: the copies in Redis are brought up to date, and with that every watcher is nudged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog

from app.domain.ledger.posting import Posting, ScoreChange
from app.domain.ledger.receipts import Receipt
from app.pubsub.channels.events import BoardMoved
from app.services.board_index import BoardIndex, BoardNotLoaded, Ranks, RedisUnreachable
from app.stores.batching import Batcher

log = structlog.get_logger(__name__)


class AfterCommit:
    """Puts committed postings into the standings, many to a call.

    Nothing here can fail a posting: what Redis misses is counted, and repaired from PostgreSQL. When a
    category is not loaded, `on_not_loaded` is called, which sees to a rebuild.
    """

    def __init__(
        self,
        score_changes: BoardIndex,
        on_moved: Callable[[Sequence[BoardMoved]], None],
        on_not_loaded: Callable[[], None],
        on_ranked: Callable[[Posting, int | None], None],
        *,
        batch: int,
    ) -> None:
        """`on_moved` hears of every put at once, so that this process's readers see what it wrote.

        `on_ranked` hears of the rank that each posting led to.
        """
        self.missed = 0
        self._missed_since: datetime | None = None
        self._standings = score_changes
        self._on_moved = on_moved
        self._on_cold = on_not_loaded
        self._on_ranked = on_ranked
        self._queue = Batcher(self._put, size=batch, max_concurrent=1, key=None)

    def announce(self, posting: Posting) -> asyncio.Future[Receipt]:
        """Start at once, whether or not anybody waits. The result has ranks if Redis answered."""
        return self._queue.enqueue(posting)

    async def repair(self, recent: Callable[[datetime], Awaitable[object]]) -> None:
        """Have `recent` put right what Redis has missed, if anything: it is given the time of the first miss.

        Raises what `recent` raises, and then remembers the miss.
        """
        since, self._missed_since = self._missed_since, None
        if since is None:
            return
        try:
            await recent(since)
        except BaseException:
            self._missed_since = since
            raise

    async def drain(self) -> None:
        """Return when nothing is under way."""
        await self._queue.drain()

    async def _put(self, postings: Sequence[Posting]) -> Sequence[Receipt]:
        """Raises nothing: the postings are committed, and whoever made them is to hear so."""
        ranks: dict[int, Ranks] = {}
        by_category: dict[str, list[tuple[int, ScoreChange]]] = {}
        for index, posting in enumerate(postings):
            for standing in posting.score_changes:
                by_category.setdefault(standing.board.category, []).append((index, standing))
        for rows in by_category.values():
            try:
                ranks |= await self._put_category(rows, postings)
            except Exception:
                log.exception("standings_put_failed")
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
        try:
            outcome = await self._standings.put([standing for _, standing in rows])
        except BoardNotLoaded:
            self._on_cold()
        except RedisUnreachable:
            missed = {index for index, _ in rows}
            self.missed += len(missed)
            times = [postings[index].transaction.created_at for index in missed]
            self._missed_since = min([*times, self._missed_since or times[0]])
        else:
            self._on_moved(outcome.moves)
            # The ALL_TIME row comes first in each posting: its ranks are those of the receipt.
            firsts: dict[int, Ranks] = {}
            for (index, _), answer in zip(rows, outcome.ranks, strict=True):
                firsts.setdefault(index, answer)
            return firsts
        return {}
