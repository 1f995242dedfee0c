"""Leaderboards: which board a query means, and the quickest right way to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from app.domain.boards import TOP, Board, Page, Place, board_of
from app.domain.catalogue import Category
from app.domain.errors import BadUserInput, UserNotFound
from app.domain.periods import Period
from app.domain.users import Profile
from app.pubsub.hub import Hub
from app.services.catalogue import CatalogueService
from app.services.profiles import Profiles
from app.services.read_board import ReadBoard

MAX_OFFSET = 10_000


class Leaderboards:
    """The use cases behind `leaderboard` and `userRank`."""

    def __init__(
        self,
        hub: Hub,
        boards: ReadBoard,
        profiles: Profiles,
        catalogue: CatalogueService,
        clock: Callable[[], datetime],
    ) -> None:
        self._hub = hub
        self._boards = boards
        self._profiles = profiles
        self._catalogue = catalogue
        self._clock = clock

    def category(self, category_id: str, period: Period) -> Category:
        """The category, when it keeps boards of `period`. Raises CategoryNotFound, BadUserInput."""
        category = self._catalogue.current.category(category_id)
        category.require(period)
        return category

    async def page(self, category: Category, period: Period, at: datetime | None, limit: int, offset: int) -> Page:
        """`limit` entries of the board that was open at `at` (None: now), from a 0-based `offset` on.

        From memory where possible. Raises BadUserInput for arguments out of range, ServiceUnavailable.
        """
        check_limit(limit)
        if not 0 <= offset <= MAX_OFFSET:
            raise BadUserInput(f"`offset` is between 0 and {MAX_OFFSET}.")
        board = self._board(category, period, at)
        if at is None:
            page = self._hub.page(category.id, period, limit, offset)
            page = page or await self._hub.fresh_page(category.id, period, limit, offset)
            if page is not None:
                return page
        return await self._boards.page(board, offset, limit)

    async def place(
        self, user_id: UUID, category: Category, period: Period, at: datetime | None = None
    ) -> tuple[Place, Profile]:
        """Where a user stands, and who it is. Raises UserNotFound, BadUserInput, ServiceUnavailable."""
        board = self._board(category, period, at)
        profile = (await self._profiles.get([user_id])).get(user_id)
        if profile is None:
            raise UserNotFound
        (place,) = await self._boards.places(board, [user_id])
        return place, profile

    def _board(self, category: Category, period: Period, at: datetime | None) -> Board:
        now = self._clock()
        if at is None:
            return board_of(category.id, period, now)
        if at.tzinfo is None:
            raise BadUserInput("`at` needs a time zone.")
        if at > now:
            raise BadUserInput("`at` lies in the future.")
        return board_of(category.id, period, at)


def check_limit(limit: int) -> None:
    """Raise BadUserInput for a page that is empty or larger than the head of a board."""
    if not 1 <= limit <= TOP:
        raise BadUserInput(f"`limit` is between 1 and {TOP}.")
