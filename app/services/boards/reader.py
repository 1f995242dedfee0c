"""Read a board: from Redis, else from PostgreSQL; every answer of one ordering at one version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.boards.board import Board, Page, UserStanding, Version
from app.domain.boards.ranking import RankedRow
from app.domain.boards.views import State, View, compose, flatten
from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.services.board_index import BoardIndex, BoardNotLoaded, RedisUnreachable, is_evicted
from app.services.boards.assemble import Reading
from app.services.boards.postgres_reader import PostgresBoards
from app.services.boards.redis_reader import RedisBoards
from app.stores.single_flight import SingleFlight

CACHE_SECONDS = 1.0


class ReadBoard:
    """The reader behind queries and feeds. Raises ServiceUnavailable when neither store answers.

    What PostgreSQL answers is shared for a second: without Redis it must not get every reader's query.
    """

    def __init__(
        self,
        redis: RedisBoards,
        postgres: PostgresBoards,
        standings: BoardIndex,
        on_not_loaded: Callable[[], None],
        postgres_away: Callable[[], bool],
        monotonic: Callable[[], float],
        clock: Callable[[], datetime],
    ) -> None:
        """`on_not_loaded` is called when Redis has lost a category. Pages are stale while `postgres_away`."""
        self._redis = redis
        self._postgres = postgres
        self._standings = standings
        self._on_cold = on_not_loaded
        self._postgres_away = postgres_away
        self._clock = clock
        self._shared: SingleFlight[list[State]] = SingleFlight(CACHE_SECONDS, Runtime(monotonic=monotonic))

    async def page(self, board: Board, view: View[Page]) -> Page:
        """The page that `view` asks for, with those beside it."""
        (state,) = await self.read_views(board, [view])
        assert isinstance(state, Page)
        return state

    async def places(self, board: Board, users: Sequence[UUID]) -> list[UserStanding]:
        """Where each of the users stands, all of one version."""
        reading, ranked = await self._places(board, users)
        return [reading.place(user_id, one) for user_id, one in zip(users, ranked, strict=True)]

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """The state of each view, all of one version."""
        parts = flatten(views)
        states = dict(zip(parts, await self._read(board, parts), strict=True))
        return [compose(view, states) for view in views]

    async def read_version(self, board: Board) -> Version:
        """The version of the copy in Redis. Raises ServiceUnavailable when Redis has none or does not answer."""
        try:
            return await self._standings.version(board)
        except (BoardNotLoaded, RedisUnreachable) as failure:
            self._note(failure)
            raise ServiceUnavailable from failure

    async def _read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        if self._may_be_in_redis(board):
            try:
                states = await self._redis.read(board, views)
                return [_stale(state) for state in states] if self._postgres_away() else states
            except (BoardNotLoaded, RedisUnreachable) as failure:
                self._note(failure)
        return await self._shared.get((board, *views), lambda: self._postgres.read(board, views))

    async def _places(self, board: Board, users: Sequence[UUID]) -> tuple[Reading, list[RankedRow | None]]:
        if self._may_be_in_redis(board):
            try:
                return await self._redis.places(board, users)
            except (BoardNotLoaded, RedisUnreachable) as failure:
                self._note(failure)
        return await self._postgres.places(board, users)

    def _may_be_in_redis(self, board: Board) -> bool:
        return board.as_of is None and not is_evicted(board, self._clock())

    def _note(self, failure: BoardNotLoaded | RedisUnreachable) -> None:
        if isinstance(failure, BoardNotLoaded):
            self._on_cold()


def _stale(state: State) -> State:
    return replace(state, stale=True) if isinstance(state, Page) else state
