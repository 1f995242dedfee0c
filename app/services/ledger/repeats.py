"""Repeats: which refusal a token or a request key gets that was used before, and the board that goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from app.domain.boards.periods import Period, window_of
from app.domain.errors import (
    ActionTokenUsed,
    BadUserInput,
    DomainError,
    DuplicateAction,
    ServiceUnavailable,
    UnderReview,
)
from app.domain.ledger.receipts import Receipt
from app.models.statements.boards.board_rows import read_rows_of_players
from app.models.statements.ledger.store_postings import receipt_by_request, receipt_by_token
from app.runtime import Runtime
from app.services.ledger.after_commit import AfterCommit
from app.stores.batching import Batcher
from app.stores.postgres import Database

Repeat = ActionTokenUsed | DuplicateAction
"""A refusal with the first receipt."""

MAX_BATCH_SIZE = 32
"""Repeats whose rows are read and put together."""


class Repeats:
    """Puts the rows of a repeated submission into Redis before its caller gets the first receipt.

    The first submission may have been committed without an answer, or by an instance that ended before it updated
    Redis. The receipt is then the first that the caller hears of the commit, and boards must show what it says.
    """

    def __init__(self, database: Database, after_commit: AfterCommit, runtime: Runtime) -> None:
        """Create an instance.

        Args:
            database: Where the rows are read.
            after_commit: Puts them into Redis.
            runtime: The source of time.
        """
        self._database = database
        self._after_commit = after_commit
        self._runtime = runtime
        self._queue: Batcher[Repeat, Receipt] = Batcher(
            self._put_all, max_batch_size=MAX_BATCH_SIZE, max_concurrent=1, key=None
        )

    def raise_after_put(self, repeat: Repeat) -> asyncio.Future[Receipt]:
        """Return a future that raises `repeat` as soon as the boards show its receipt."""
        return self._queue.enqueue(repeat)

    async def drain(self) -> None:
        """Return when no repeat is under way."""
        await self._queue.drain()

    async def _put_all(self, repeats: Sequence[Repeat]) -> Sequence[Repeat]:
        """Return the exceptions themselves: the batcher raises them."""
        now = self._runtime.clock()
        # A submission from right before the end of a window belongs to the window before.
        windows = list({window_of(period, at) for period in Period for at in (now, now - timedelta(minutes=1))})
        players = {(repeat.receipt.user.id, repeat.receipt.category) for repeat in repeats if not repeat.receipt.held}
        try:
            async with self._database.connect() as connection:
                rows = await read_rows_of_players(connection, players, windows)
        except ServiceUnavailable:
            return repeats  # Boards are read from Redis then, and marked as stale.
        for _, changes in groupby(rows, key=lambda row: row.board.category):
            await self._after_commit.put(list(changes), now)
        return repeats


async def refusal_of_token(database: Database, token_hash: bytes, user_id: UUID) -> DomainError | None:
    """Return the refusal of a token that this user has used, with the first receipt; None for any other token.

    Raises:
        ServiceUnavailable: PostgreSQL cannot be used.
    """
    async with database.connect() as connection:
        receipt = await receipt_by_token(connection, token_hash)
    if receipt is None or receipt.user.id != user_id:
        return None
    return UnderReview() if receipt.held else ActionTokenUsed(receipt)


async def refusal_of_request_key(
    database: Database, request_key: str, request_hash: bytes | None
) -> DomainError | None:
    """Return the refusal of a request key that has been used, with the first receipt; None for a new key.

    Raises:
        ServiceUnavailable: PostgreSQL cannot be used.
    """
    async with database.connect() as connection:
        found = await receipt_by_request(connection, request_key)
    if found is None:
        return None
    receipt, first_hash = found
    if first_hash != request_hash:
        return BadUserInput("This idempotency key was used for a request with different content. Use a new key.")
    return UnderReview() if receipt.held else DuplicateAction(receipt)
