"""Read a board: from Redis, else from PostgreSQL; every answer of one ordering at one version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.domain.boards import Board, Page, Place, Version
from app.domain.errors import ServiceUnavailable
from app.pubsub.views import Around, State, View
from app.services.board_views import AnyView, Slice
from app.services.postgres_boards import PostgresBoards
from app.services.redis_boards import RedisBoards
from app.services.single_flight import SingleFlight
from app.services.standings import Cold, Standings, Unreachable

CACHE_SECONDS = 1.0


class ReadBoard:
    """The reader behind queries and feeds. Raises ServiceUnavailable when neither store answers.

    What PostgreSQL answers is shared for a second: without Redis it must not get every reader's query.
    """

    def __init__(
        self,
        redis: RedisBoards,
        postgres: PostgresBoards,
        standings: Standings,
        on_cold: Callable[[str], None],
        postgres_away: Callable[[], bool],
        monotonic: Callable[[], float],
    ) -> None:
        """`on_cold` is told of a category that Redis has lost. Pages are stale while `postgres_away`."""
        self._redis = redis
        self._postgres = postgres
        self._standings = standings
        self._on_cold = on_cold
        self._postgres_away = postgres_away
        self._shared: SingleFlight[list[State]] = SingleFlight(CACHE_SECONDS, monotonic)

    async def page(self, board: Board, offset: int, limit: int) -> Page:
        """`limit` entries from a 0-based `offset` on."""
        return _only_page(await self._read(board, [Slice(offset, limit)]))

    async def around(self, board: Board, user_id: UUID, radius: int) -> Page:
        """`2 * radius + 1` entries with the user as near to the middle as the edges allow; none without a row."""
        return _only_page(await self._read(board, [Around(user_id, radius)]))

    async def places(self, board: Board, users: Sequence[UUID]) -> list[Place]:
        """Where each of the users stands, all of one version."""
        try:
            reading, ranked = await self._redis.places(board, users)
        except (Cold, Unreachable) as failure:
            self._note(failure)
            reading, ranked = await self._postgres.places(board, users)
        return [reading.place(user_id, one) for user_id, one in zip(users, ranked, strict=True)]

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """The state of each view, for a feed."""
        return await self._read(board, views)

    async def read_version(self, board: Board) -> Version:
        """The version of the copy in Redis. Raises ServiceUnavailable when Redis has none or does not answer."""
        try:
            return await self._standings.version(board)
        except (Cold, Unreachable) as failure:
            self._note(failure)
            raise ServiceUnavailable from failure

    async def _read(self, board: Board, views: Sequence[AnyView]) -> list[State]:
        try:
            states = await self._redis.read(board, views)
            return [_stale(state) for state in states] if self._postgres_away() else states
        except (Cold, Unreachable) as failure:
            self._note(failure)
        return await self._shared.get((board, *views), lambda: self._postgres.read(board, views))

    def _note(self, failure: Cold | Unreachable) -> None:
        if isinstance(failure, Cold):
            self._on_cold(failure.category)


def _stale(state: State) -> State:
    return replace(state, stale=True) if isinstance(state, Page) else state


def _only_page(states: Sequence[State]) -> Page:
    (state,) = states
    assert isinstance(state, Page)
    return state
