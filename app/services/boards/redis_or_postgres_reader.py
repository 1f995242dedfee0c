"""Read boards from Redis, else from PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.domain.boards.assign_ranks import RankedRow
from app.domain.boards.board import Board, Page, UserStanding, Version
from app.domain.boards.view_cost import lookups
from app.domain.boards.views import Head, State, View, compose, flatten
from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.services.board_index import BoardIndex, BoardNotLoaded, is_evicted
from app.services.board_index.layout import category_epoch
from app.services.boards.assemble import ViewAssembler
from app.services.boards.postgres_reader import PostgresReader
from app.services.boards.redis_reader import RedisReader
from app.services.past_answers import PastAnswers
from app.stores.bulk_redis import RedisBusy
from app.stores.redis_caller import RedisUnreachable
from app.stores.single_flight import SingleFlight

POSTGRES_CACHE_SECONDS = 1.0
"""How long a read from PostgreSQL is shared: without Redis it would otherwise receive every client's query."""

MAX_CHEAP_LOOKUPS = 25
"""The cost up to which a page is read on the connections that all requests share, see `lookups`."""


class RedisOrPostgresReader:
    """The reader behind queries and feeds; see `BoardReader`. Raises ServiceUnavailable if neither store answers."""

    def __init__(
        self,
        redis: RedisReader,
        feed_views: RedisReader,
        query_views: RedisReader,
        postgres: PostgresReader,
        index: BoardIndex,
        on_not_loaded: Callable[[], None],
        on_regressed: Callable[[str, str], None],
        is_complete: Callable[[str], bool],
        is_postgres_down: Callable[[], bool],
        past: PastAnswers,
        runtime: Runtime,
    ) -> None:
        """Create a reader.

        Args:
            redis: Reads heads, standings and pages from the index.
            feed_views: Reads the views of feeds beyond the head, on connections of its own.
            query_views: Reads pages that are expensive, on connections of its own.
            postgres: Reads boards from the tables.
            index: Tells the versions of boards.
            on_not_loaded: Called when Redis does not have a category.
            on_regressed: Called with a category and the epoch of its copies, whose versions went back.
            is_complete: Whether Redis has everything that was committed in a category, as far as is known.
            is_postgres_down: While it is true, pages from Redis are marked stale.
            past: Shares what is read about the past.
            runtime: The clocks.
        """
        self._redis = redis
        self._feed_views = feed_views
        self._query_views = query_views
        self._postgres = postgres
        self._index = index
        self._on_not_loaded = on_not_loaded
        self._on_regressed = on_regressed
        self._is_complete = is_complete
        self._is_postgres_down = is_postgres_down
        self._past = past
        self._runtime = runtime
        self._feed_views_of_postgres = asyncio.Semaphore()
        self._shared: SingleFlight[list[State]] = SingleFlight(POSTGRES_CACHE_SECONDS, runtime)
        self._outdated: Counter[Board] = Counter()
        """How often what is shared of a board was outdated before its time."""
        self.reads: Counter[str] = Counter()
        """How many reads were left to each store: `redis`, or `postgres` where Redis cannot answer."""

    async def page(self, board: Board, view: View[Page]) -> Page:
        """Read the page of a view, with those of its extra views. Reads from PostgreSQL are shared for a second."""
        parts = flatten([view])
        redis = self._redis if lookups(view) <= MAX_CHEAP_LOOKUPS else self._query_views
        states = await self._read(board, parts, redis, lambda: self._shared_read(board, parts))
        state = compose(view, dict(zip(parts, states, strict=True)))
        assert isinstance(state, Page)
        return state

    async def read_head(self, board: Board) -> Page:
        """Read the head of the board for its feed. Nothing is shared: feeds keep what they read."""
        (head,) = await self._read(board, [Head()], self._redis, lambda: self._fresh_read(board, [Head()]))
        assert isinstance(head, Page)
        return head

    async def standings(self, board: Board, users: Sequence[UUID]) -> list[UserStanding]:
        """Read the standing of each user, all of one version."""
        if self._is_in_index(board) or not board.is_past(self._runtime.clock()):
            return await self._standings(board, users)
        standings: list[UserStanding] = await self._past.get(
            board, ("standings", *users), lambda: self._standings(board, users)
        )
        return standings

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """Read the state of each view of a feed, all of one version. Nothing is shared: feeds keep what they read."""
        parts = flatten(views)
        states = dict(
            zip(
                parts,
                await self._read(board, parts, self._feed_views, lambda: self._fresh_views(board, parts)),
                strict=True,
            )
        )
        return [compose(view, states) for view in views]

    def outdate(self, boards: Iterable[Board]) -> None:
        """Read these boards from PostgreSQL again: this process has written to them, and Redis does not have it."""
        self._outdated.update(boards)

    async def read_version(self, board: Board) -> Version:
        """Read the version of the board in Redis. Raises ServiceUnavailable if Redis cannot tell it."""
        if not self._is_in_index(board):
            raise ServiceUnavailable
        try:
            return await self._index.version(board)
        except (BoardNotLoaded, RedisUnreachable) as failure:
            self._handle(failure, board)
            raise ServiceUnavailable from failure

    def report_regression(self, board: Board, version: Version) -> None:
        """Have the category rebuilt, because the board is at `version` and was at a newer one in the same epoch."""
        self._on_regressed(board.category, category_epoch(version.epoch))

    async def _read(
        self,
        board: Board,
        views: Sequence[View[Any]],
        redis: RedisReader,
        from_postgres: Callable[[], Awaitable[list[State]]],
    ) -> list[State]:
        if self._is_in_index(board):
            try:
                states = await redis.read(board, views)
            except (BoardNotLoaded, RedisUnreachable) as failure:
                self._handle(failure, board)
            except RedisBusy as busy:  # PostgreSQL must not get what is too expensive for Redis.
                raise ServiceUnavailable from busy
            else:
                # What is known to be missing now may have been missing during the read.
                if self._is_complete(board.category):
                    self.reads["redis"] += 1
                    return [_stale(state) for state in states] if self._is_postgres_down() else states
        self.reads["postgres"] += 1
        try:
            return await from_postgres()
        except ServiceUnavailable:
            if board.as_of is not None or self._is_complete(board.category):
                raise
            return await self._incomplete(board, views)

    async def _incomplete(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        """Read a board from Redis of which something is known to be missing: better than nothing, and marked stale."""
        try:
            return [_stale(state) for state in await self._redis.read(board, views)]
        except (BoardNotLoaded, RedisUnreachable) as failure:
            raise ServiceUnavailable from failure

    async def _shared_read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        if board.is_past(self._runtime.clock()):
            answer: list[State] = await self._past.get(board, tuple(views), lambda: self._postgres.read(board, views))
            return answer
        key = (board, self._outdated[board], *views)
        return await self._shared.get(key, lambda: self._postgres.read(board, views))

    async def _fresh_read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        self.outdate([board])  # No query that comes later is answered with an older version.
        return await self._postgres.read(board, views)

    async def _fresh_views(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        async with self._feed_views_of_postgres:
            return await self._fresh_read(board, views)

    async def _standings(self, board: Board, users: Sequence[UUID]) -> list[UserStanding]:
        assembler, ranked = await self._ranked(board, users)
        return [assembler.standing(user_id, one) for user_id, one in zip(users, ranked, strict=True)]

    async def _ranked(self, board: Board, users: Sequence[UUID]) -> tuple[ViewAssembler, list[RankedRow | None]]:
        if self._is_in_index(board):
            try:
                standings = await self._redis.standings(board, users)
            except (BoardNotLoaded, RedisUnreachable) as failure:
                self._handle(failure, board)
            else:
                if self._is_complete(board.category):
                    return standings
        return await self._postgres.standings(board, users)

    def _is_in_index(self, board: Board) -> bool:
        return (
            board.as_of is None and self._is_complete(board.category) and not is_evicted(board, self._runtime.clock())
        )

    def _handle(self, failure: BoardNotLoaded | RedisUnreachable, board: Board) -> None:
        """Request a rebuild if the board should be loaded; closed windows are not loaded again."""
        if isinstance(failure, BoardNotLoaded) and not board.window.is_closed(self._runtime.clock()):
            self._on_not_loaded()


def _stale(state: State) -> State:
    return replace(state, stale=True) if isinstance(state, Page) else state
