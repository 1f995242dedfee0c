"""Ranks at the end of the previous day, week or month, which the movement of entries is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.boards.movement import Since, reference_board
from app.domain.errors import BadUserInput, RateLimited, ServiceUnavailable
from app.models.statements.boards.closed_windows import read_final_ranks
from app.runtime import Runtime
from app.services.boards.redis_or_postgres_reader import RedisOrPostgresReader
from app.stores.bulkhead import Bulkhead
from app.stores.single_flight import SingleFlight

KEPT_SECONDS = 60.0
"""How long ranks are kept. They change only when a user is hidden, shown or deleted, by a place each time."""

MAX_RANKS = 200_000
"""The maximum of ranks that a process keeps."""

Ranks = Mapping[UUID, int]
"""Ranks by user, without those who were not on the board."""


class PastRanks:
    """Reads past ranks, for all users of a page in one read, and keeps them: a live board asks for the same again.

    All-time ranks come from the checkpoints, those in closed windows from the score histograms.
    """

    def __init__(self, reader: RedisOrPostgresReader, past: Bulkhead, runtime: Runtime) -> None:
        """Create it without ranks.

        Args:
            reader: Reads all-time boards of the past.
            past: The connections for closed windows.
            runtime: The clocks.
        """
        self._reader = reader
        self._past = past
        self._clock = runtime.clock
        self._monotonic = runtime.monotonic
        self._reads: SingleFlight[Ranks | None] = SingleFlight(0, runtime)
        self._ranks: dict[Board, dict[UUID, int | None]] = {}
        self._drop_at = 0.0

    async def movement(
        self, board: Board, since: Since, user_id: UUID, rank: int, page_users: Sequence[UUID]
    ) -> int | None:
        """Return how many places a user has gained, or lost if negative.

        Args:
            board: The board that shows the user.
            since: What is compared with.
            user_id: The user.
            rank: The user's rank on the board.
            page_users: All users of the page, whose ranks are read together.

        Returns:
            The places; None if the user was not on the board, if nothing is stored to compare with, or if it cannot be
            read at the moment.
        """
        reference = reference_board(board, since, self._clock())
        if reference is None:
            return None
        known = self._known(reference)
        if user_id not in known:
            await self._read(reference, known, page_users)
        before = known.get(user_id)
        return None if before is None else before - rank

    def _known(self, reference: Board) -> dict[UUID, int | None]:
        now = self._monotonic()
        if now >= self._drop_at or sum(map(len, self._ranks.values())) >= MAX_RANKS:
            self._ranks = {}
            self._drop_at = now + KEPT_SECONDS
        return self._ranks.setdefault(reference, {})

    async def _read(self, reference: Board, known: dict[UUID, int | None], users: Sequence[UUID]) -> None:
        missing = tuple(sorted(user_id for user_id in users if user_id not in known))
        try:
            ranks = await self._reads.get((reference, missing), lambda: self._read_ranks(reference, missing))
        except (BadUserInput, RateLimited, ServiceUnavailable):  # Archived, too many such reads, or no database.
            return
        if ranks is not None:
            known.update((user_id, ranks.get(user_id)) for user_id in missing)

    async def _read_ranks(self, reference: Board, users: Sequence[UUID]) -> Ranks | None:
        if reference.as_of is not None:
            standings = await self._reader.standings(reference, users)
            return {one.user_id: one.rank for one in standings if one.rank is not None}
        async with self._past.connect() as connection:
            return await read_final_ranks(connection, reference, users)
