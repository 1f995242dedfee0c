"""Leaderboards: which board a query means, and the quickest right way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from app.domain.boards.board import TOP, Board, Page, UserStanding, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice, View, with_extra_views
from app.domain.catalogue.catalogue import Category
from app.domain.errors import BadUserInput, UserNotFound
from app.domain.users import Profile
from app.pubsub.hub import Hub
from app.services.boards.reader import ReadBoard
from app.services.catalogue.cache import CatalogueService
from app.services.players.profile_cache import ProfileCache
from app.stores.batching import Batcher

MAX_OFFSET = 10_000

UserStandingWithProfile = tuple[UserStanding, Profile]
"""Where somebody stands, and who it is."""


class Leaderboards:
    """The use cases behind `leaderboard` and `userRank`."""

    def __init__(
        self,
        hub: Hub,
        boards: ReadBoard,
        profiles: ProfileCache,
        catalogue: CatalogueService,
        clock: Callable[[], datetime],
    ) -> None:
        self._hub = hub
        self._boards = boards
        self._profiles = profiles
        self._catalogue = catalogue
        self._clock = clock
        self._places = Batcher(self._locate, size=500, max_concurrent=4, key=None)

    def category(self, category_id: str, period: Period) -> Category:
        """The category, when it keeps boards of `period`. Raises CategoryNotFound, BadUserInput."""
        category = self._catalogue.current.category(category_id)
        category.require(period)
        return category

    def board(self, category: Category, period: Period, at: datetime | None = None) -> Board:
        """The board that is meant: of the window that was open at `at`; None: now.

        A closed window stays as it was when it closed, whichever of its instants is named. ALL_TIME never closes: there
        `at` means the board as it stood at that very instant. Raises BadUserInput for an instant of the future.
        """
        now = self._clock()
        if at is None:
            return board_of(category.id, period, now)
        if at.tzinfo is None:
            raise BadUserInput("`at` must have a time zone.")
        if at > now:
            raise BadUserInput("`at` must not be in the future.")
        board = board_of(category.id, period, at)
        return Board(board.category, board.window, at) if period is Period.ALL_TIME else board

    def current_head(self, board: Board) -> Page | None:
        """What `page` answers from while the board is the open one and memory has it: see `Hub.current_head`."""
        current_head = self._hub.current_head(board.category, board.window.period)
        return current_head if current_head is not None and current_head.board == board else None

    async def page(self, board: Board, limit: int, offset: int, extra_views: Sequence[View[Page]] = ()) -> Page:
        """`limit` entries of a board from a 0-based `offset` on, and `extra_views` them what else is asked of it.

        All of it is of one version. What memory has comes from there. Raises BadUserInput for arguments out of range,
        ServiceUnavailable.
        """
        check_limit(limit)
        if not 0 <= offset <= MAX_OFFSET:
            raise BadUserInput(f"`offset` must be between 0 and {MAX_OFFSET}.")
        page = None if extra_views else await self._from_memory(board, limit, offset)
        return page or await self._boards.page(board, with_extra_views(Slice(offset, limit), extra_views))

    async def place(self, board: Board, user_id: UUID) -> UserStandingWithProfile:
        """Where a user stands, and who it is. Calls that come together share one reading per board.

        Raises UserNotFound, ServiceUnavailable.
        """
        return await self._places.submit((board, user_id))

    async def profile(self, user_id: UUID) -> Profile:
        """Who a user is. Raises UserNotFound, ServiceUnavailable."""
        profile = (await self._profiles.get([user_id])).get(user_id)
        if profile is None:
            raise UserNotFound
        return profile

    async def _from_memory(self, board: Board, limit: int, offset: int) -> Page | None:
        """The page as the hub knows it, or reads it now for all who ask; None when it is not for the hub to say."""
        category, period = board.category, board.window.period
        page = self._hub.page(category, period, limit, offset)
        if page is None and board == board_of(category, period, self._clock()):
            page = await self._hub.fresh_page(category, period, limit, offset)
        return page if page is not None and page.board == board else None

    async def _locate(self, wanted: Sequence[tuple[Board, UUID]]) -> Sequence[UserStandingWithProfile | Exception]:
        profiles = await self._profiles.get({user_id for _, user_id in wanted})
        users: dict[Board, dict[UUID, None]] = {}
        for board, user_id in wanted:
            users.setdefault(board, {})[user_id] = None
        readings = await asyncio.gather(*(self._boards.places(board, list(users[board])) for board in users))
        places = {(place.board, place.user_id): place for reading in readings for place in reading}
        return [
            (places[board, user_id], profiles[user_id]) if user_id in profiles else UserNotFound()
            for board, user_id in wanted
        ]


def check_limit(limit: int) -> None:
    """Raise BadUserInput for a page that is empty or larger than the head of a board."""
    if not 1 <= limit <= TOP:
        raise BadUserInput(f"`limit` must be between 1 and {TOP}.")
