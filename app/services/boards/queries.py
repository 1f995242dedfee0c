"""Board queries: choose the board, then answer from memory, else from Redis, else from PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from app.domain.boards.board import Board, UserStanding, board_of
from app.domain.boards.board_part import parse_board
from app.domain.boards.board_query import BoardQuery
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice, with_extra_views
from app.domain.catalogue.catalogue import Catalogue, Category
from app.domain.errors import BadUserInput, UserNotFound
from app.domain.users import Caller, Profile
from app.pubsub.feed.shared_page import SharedPage
from app.pubsub.hub import Hub
from app.runtime import Runtime
from app.services.boards.redis_or_postgres_reader import RedisOrPostgresReader
from app.services.cacheable import Cacheable
from app.services.catalogue.cache import CatalogueService
from app.services.players.profile_cache import ProfileCache
from app.stores.batching import Batcher

MAX_BATCH_SIZE = 500
"""How many standings are read at once."""

UserStandingWithProfile = tuple[UserStanding, Profile]
"""The standing of a user on a board, and the user's profile."""


@dataclass(slots=True)
class _Lane:
    """The reads of standings of one board, while there are callers."""

    batcher: Batcher[UUID, UserStandingWithProfile]
    callers: int = 0


class BoardQueries:
    """The use cases behind `leaderboard` and `userRank`."""

    def __init__(
        self,
        hub: Hub,
        reader: RedisOrPostgresReader,
        profiles: ProfileCache,
        catalogue: CatalogueService,
        runtime: Runtime,
    ) -> None:
        self._hub = hub
        self._reader = reader
        self._profiles = profiles
        self._catalogue = catalogue
        self._runtime = runtime
        self._lanes: dict[Board, _Lane] = {}
        self.hits = 0
        self.misses = 0
        """Pages of boards that were in memory, and those that were not."""

    def category(self, category_id: str, period: Period) -> Category:
        """Return a category that keeps boards of `period`. Raises CategoryNotFound, BadUserInput."""
        category = self._catalogue.current.category(category_id)
        category.require(period)
        return category

    def board(self, category: Category, period: Period, at: datetime | None = None) -> Board:
        """Return the board of the window that was open at `at`, or is open now if `at` is None.

        A closed window keeps its final state, whichever of its instants is named. ALL_TIME never closes: with `at` the
        board is read as it was at the beginning of that second, so that callers share answers.

        Raises BadUserInput for an instant without a time zone or in the
        future.
        """
        now = self._runtime.clock()
        if at is None:
            return board_of(category.id, period, now)
        if at.tzinfo is None:
            raise BadUserInput("`at` must have a time zone.")
        if at > now:
            raise BadUserInput("`at` must not be in the future.")
        board = board_of(category.id, period, at)
        second = at.astimezone(UTC).replace(microsecond=0)
        return Board(board.category, board.window, second) if period is Period.ALL_TIME else board

    def find(self, key: str) -> tuple[Category, Board] | None:
        """Return the board with this key and its category; None if there is none, or was none until now."""
        board = parse_board(key, self._runtime.clock())
        category = None if board is None else self._catalogue.current.categories.get(board.category)
        if board is None or category is None or board.window.period not in category.periods:
            return None
        return category, board

    async def page(self, query: BoardQuery) -> Cacheable[SharedPage]:
        """Return the page that `query` asks for, with the pages of its nested fields at the same version.

        A part of the current head without nested fields comes from memory, and can be cached until the head or the
        catalogue changes. Raises ServiceUnavailable.
        """
        board, catalogue = query.board, self._catalogue.current
        extra_views = query.extra_views
        page = None if extra_views else await self._from_memory(query)
        if page is None:
            page = SharedPage(await self._reader.page(board, with_extra_views(query.view, extra_views)))
        elif query.nested:  # Fields with invalid arguments: their errors belong to this query alone.
            page = SharedPage(page.page)
        current_head = partial(self._hub.current_head, board.category, board.window.period)
        return Cacheable(page, ((current_head, page.head), (self._current_catalogue, catalogue)))

    async def standing(self, board: Board, user_id: UUID, viewer: Caller | None = None) -> UserStandingWithProfile:
        """Return the standing of a user with the profile as `viewer` may see it.

        Concurrent calls for one board share a read, and wait for no other board.

        Raises UserNotFound, ServiceUnavailable, and RateLimited for a board that only PostgreSQL has.
        """
        standing, profile = await self._standing(board, user_id)
        if profile.is_hidden:
            profile = (await self._profiles.get([user_id], viewer)).get(user_id, profile)
        return standing, profile

    async def _standing(self, board: Board, user_id: UUID) -> UserStandingWithProfile:
        lane = self._lanes.get(board)
        if lane is None:
            read = partial(self._read_standings, board)
            lane = _Lane(Batcher(read, max_batch_size=MAX_BATCH_SIZE, max_concurrent=2, key=None))
            self._lanes[board] = lane
        lane.callers += 1
        try:
            return await lane.batcher.submit(user_id)
        finally:
            lane.callers -= 1
            if not lane.callers:
                self._lanes.pop(board, None)

    async def _from_memory(self, query: BoardQuery) -> SharedPage | None:
        """Return the page from the hub, which reads the head if needed; None if it is not part of the current head."""
        board, view = query.board, query.view
        if not isinstance(view, Slice):
            return None
        category, period = board.category, board.window.period
        page = self._hub.page(category, period, view)
        if page is None:
            self.misses += 1
        else:
            self.hits += 1
        if page is None and board == board_of(category, period, self._runtime.clock()):
            page = await self._hub.fresh_page(category, period, view)
        return page if page is not None and page.page.board == board else None

    def _current_catalogue(self) -> Catalogue:
        return self._catalogue.current

    async def _read_standings(
        self, board: Board, users: Sequence[UUID]
    ) -> Sequence[UserStandingWithProfile | Exception]:
        profiles = await self._profiles.get(set(users))
        standings = {one.user_id: one for one in await self._reader.standings(board, list(dict.fromkeys(users)))}
        return [(standings[user_id], profiles[user_id]) if user_id in profiles else UserNotFound() for user_id in users]
