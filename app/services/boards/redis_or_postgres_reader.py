"""Read boards from Redis, else from PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.domain.boards.board import Board, Page, UserStanding, Version
from app.domain.boards.ranking import RankedRow
from app.domain.boards.views import State, View, compose, flatten
from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.services.board_index import BoardIndex, BoardNotLoaded, RedisUnreachable, is_evicted
from app.services.boards.assemble import ViewAssembler
from app.services.boards.postgres_reader import PostgresReader
from app.services.boards.redis_reader import RedisReader
from app.services.past_answers import PastAnswers
from app.stores.single_flight import SingleFlight

POSTGRES_CACHE_SECONDS = 1.0
"""How long a read from PostgreSQL is shared: without Redis it would otherwise receive every client's query."""


class RedisOrPostgresReader:
    """The reader behind queries and feeds; see `BoardReader`. Raises ServiceUnavailable if neither store answers."""

    def __init__(
        self,
        redis: RedisReader,
        postgres: PostgresReader,
        index: BoardIndex,
        on_not_loaded: Callable[[], None],
        is_postgres_down: Callable[[], bool],
        past: PastAnswers,
        runtime: Runtime,
    ) -> None:
        """Create a reader.

        Args:
            redis: Reads boards from the index.
            postgres: Reads boards from the tables.
            index: Tells the versions of boards.
            on_not_loaded: Called when Redis does not have a category.
            is_postgres_down: While it is true, pages from Redis are marked stale.
            past: Shares what is read about the past.
            runtime: The clocks.
        """
        self._redis = redis
        self._postgres = postgres
        self._index = index
        self._on_not_loaded = on_not_loaded
        self._is_postgres_down = is_postgres_down
        self._past = past
        self._runtime = runtime
        self._shared: SingleFlight[list[State]] = SingleFlight(POSTGRES_CACHE_SECONDS, runtime)

    async def page(self, board: Board, view: View[Page]) -> Page:
        """Read the page of a view, with those of its extra views."""
        (state,) = await self.read_views(board, [view])
        assert isinstance(state, Page)
        return state

    async def standings(self, board: Board, users: Sequence[UUID]) -> list[UserStanding]:
        """Read the standing of each user, all of one version."""
        if self._is_in_index(board) or not board.is_past(self._runtime.clock()):
            return await self._standings(board, users)
        standings: list[UserStanding] = await self._past.get(
            board, ("standings", *users), lambda: self._standings(board, users)
        )
        return standings

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """Read the state of each view, all of one version."""
        parts = flatten(views)
        states = dict(zip(parts, await self._read(board, parts), strict=True))
        return [compose(view, states) for view in views]

    async def read_version(self, board: Board) -> Version:
        """Read the version of the board in Redis. Raises ServiceUnavailable if Redis cannot tell it."""
        try:
            return await self._index.version(board)
        except (BoardNotLoaded, RedisUnreachable) as failure:
            self._handle(failure)
            raise ServiceUnavailable from failure

    async def _read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        if self._is_in_index(board):
            try:
                states = await self._redis.read(board, views)
                return [_stale(state) for state in states] if self._is_postgres_down() else states
            except (BoardNotLoaded, RedisUnreachable) as failure:
                self._handle(failure)
        if board.is_past(self._runtime.clock()):
            answer: list[State] = await self._past.get(board, tuple(views), lambda: self._postgres.read(board, views))
            return answer
        return await self._shared.get((board, *views), lambda: self._postgres.read(board, views))

    async def _standings(self, board: Board, users: Sequence[UUID]) -> list[UserStanding]:
        assembler, ranked = await self._ranked(board, users)
        return [assembler.standing(user_id, one) for user_id, one in zip(users, ranked, strict=True)]

    async def _ranked(self, board: Board, users: Sequence[UUID]) -> tuple[ViewAssembler, list[RankedRow | None]]:
        if self._is_in_index(board):
            try:
                return await self._redis.standings(board, users)
            except (BoardNotLoaded, RedisUnreachable) as failure:
                self._handle(failure)
        return await self._postgres.standings(board, users)

    def _is_in_index(self, board: Board) -> bool:
        return board.as_of is None and not is_evicted(board, self._runtime.clock())

    def _handle(self, failure: BoardNotLoaded | RedisUnreachable) -> None:
        if isinstance(failure, BoardNotLoaded):
            self._on_not_loaded()


def _stale(state: State) -> State:
    return replace(state, stale=True) if isinstance(state, Page) else state
