"""What can be watched on a board, and the one door through which all of it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from app.domain.boards import Board, Page, Version
from app.domain.rivals import UserView

State = Page | UserView
S = TypeVar("S", bound=State)


class View(Generic[S]):
    """Something to watch on a board, whose state is an S. Equal views are the same view."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Head(View[Page]):
    """The first `TOP` entries of a board: a Page at offset 0."""


@dataclass(frozen=True, slots=True)
class Player(View[UserView]):
    """One user's place: a UserView, with up to three entries above where that costs nothing more."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class Around(View[Page]):
    """A user with `radius` entries above and below, moved inwards at the edges: a Page.

    It has no entries when the user has no row.
    """

    user_id: UUID
    radius: int


class BoardReader(Protocol):
    """How a feed reads a board. Both calls end within a bounded time, whatever the stores do."""

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """The state of each view, in the order of `views` and all of one version, in one trip to a store.

        Redis answers, else PostgreSQL. An epoch names one run of versions that never goes back: PostgreSQL's readings
        have an epoch of their own which stays the same from reading to reading. Raises ServiceUnavailable when
        neither answers.
        """
        ...

    async def read_version(self, board: Board) -> Version:
        """The version of the copy in Redis, cheaply. Raises ServiceUnavailable when Redis does not answer."""
        ...
