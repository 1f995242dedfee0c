"""Board queries: choose the board, then answer from memory, else from Redis, else from PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from app.domain.boards.board import Board, UserStanding, board_of
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

UserStandingWithProfile = tuple[UserStanding, Profile]
"""The standing of a user on a board, and the user's profile."""


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
        self._standings_batcher = Batcher(self._read_standings, max_batch_size=500, max_concurrent=4, key=None)

    def category(self, category_id: str, period: Period) -> Category:
        """Return a category that keeps boards of `period`. Raises CategoryNotFound, BadUserInput."""
        category = self._catalogue.current.category(category_id)
        category.require(period)
        return category

    def board(self, category: Category, period: Period, at: datetime | None = None) -> Board:
        """Return the board of the window that was open at `at`, or is open now if `at` is None.

        A closed window keeps its final state, whichever of its instants is named. ALL_TIME never closes: with `at` the
        board is read as it was at that instant. Raises BadUserInput for an instant without a time zone or in the
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
        return Board(board.category, board.window, at) if period is Period.ALL_TIME else board

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
        """Return the standing of a user with the profile as `viewer` may see it; concurrent calls share a read.

        Raises UserNotFound, ServiceUnavailable.
        """
        standing, profile = await self._standings_batcher.submit((board, user_id))
        if profile.is_hidden:
            profile = (await self._profiles.get([user_id], viewer)).get(user_id, profile)
        return standing, profile

    async def _from_memory(self, query: BoardQuery) -> SharedPage | None:
        """Return the page from the hub, which reads the head if needed; None if it is not part of the current head."""
        board, view = query.board, query.view
        if not isinstance(view, Slice):
            return None
        category, period = board.category, board.window.period
        page = self._hub.page(category, period, view)
        if page is None and board == board_of(category, period, self._runtime.clock()):
            page = await self._hub.fresh_page(category, period, view)
        return page if page is not None and page.page.board == board else None

    def _current_catalogue(self) -> Catalogue:
        return self._catalogue.current

    async def _read_standings(
        self, requests: Sequence[tuple[Board, UUID]]
    ) -> Sequence[UserStandingWithProfile | Exception]:
        profiles = await self._profiles.get({user_id for _, user_id in requests})
        users: dict[Board, dict[UUID, None]] = {}
        for board, user_id in requests:
            users.setdefault(board, {})[user_id] = None
        reads = await asyncio.gather(*(self._reader.standings(board, list(users[board])) for board in users))
        standings = {(standing.board, standing.user_id): standing for read in reads for standing in read}
        return [
            (standings[board, user_id], profiles[user_id]) if user_id in profiles else UserNotFound()
            for board, user_id in requests
        ]
