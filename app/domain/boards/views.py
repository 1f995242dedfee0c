"""Views: what readers ask of a board. Any number of views is read at one version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from app.domain.boards.board import TOP, Page
from app.domain.boards.overtaking import UserView

State = Page | UserView
S = TypeVar("S", bound=State)


class View(Generic[S]):
    """A view of a board, whose state is an S. Equal views are the same view."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A position in board order, whether or not a user has it."""

    sort_key: int
    reached_at: datetime
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Head(View[Page]):
    """The first `TOP` entries of a board, as a Page."""


@dataclass(frozen=True, slots=True)
class Slice(View[Page]):
    """`limit` entries of a board from a 0-based `offset` on."""

    offset: int
    limit: int

    @property
    def is_in_head(self) -> bool:
        """Whether the slice is a part of the head of the board."""
        return self.offset + self.limit <= TOP


@dataclass(frozen=True, slots=True)
class Player(View[UserView]):
    """One user's standing, as a UserView with up to three entries above where they cost nothing more."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class Around(View[Page]):
    """A user with `radius` entries above and below, shifted inwards at the ends of the board, as a Page.

    It has no entries if the user has no score.
    """

    user_id: UUID
    radius: int


@dataclass(frozen=True, slots=True)
class After(View[Page]):
    """The `limit` entries that follow a position, which no user needs to have any more."""

    position: Position
    limit: int


@dataclass(frozen=True, slots=True)
class FromScore(After):
    """The `limit` entries from a score on: those after a position that no user has, and that fits every window."""


@dataclass(frozen=True, slots=True)
class Before(View[Page]):
    """The `limit` entries before a position; the last entries of the board if it is None."""

    position: Position | None
    limit: int


@dataclass(frozen=True, slots=True)
class UserSelection(View[Page]):
    """Selected users in board order, as a Page with gaps. Users without a score are left out."""

    users: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class CompositeView(View[Page]):
    """A view with extra views at the same version: the Page of `main`, which has theirs in its `extra_views`."""

    main: View[Page]
    extra_views: tuple[View[Page], ...]


def with_extra_views(main: View[Page], extra_views: Sequence[View[Page]]) -> View[Page]:
    """Combine a view with extra views, if there are any."""
    return CompositeView(main, tuple(extra_views)) if extra_views else main


def flatten(views: Iterable[View[Any]]) -> list[View[Any]]:
    """Return the parts of all views, each once."""
    return list(dict.fromkeys(part for view in views for part in _parts(view)))


def compose(view: View[Any], states: dict[View[Any], State]) -> State:
    """Return the state of `view` from the states of its parts."""
    if not isinstance(view, CompositeView):
        return states[view]
    return replace(
        _page(states[view.main]), extra_views=tuple((part, _page(states[part])) for part in view.extra_views)
    )


def _page(state: State) -> Page:
    assert isinstance(state, Page)
    return state


def _parts(view: View[Any]) -> Iterator[View[Any]]:
    if isinstance(view, CompositeView):
        yield view.main
        yield from view.extra_views
    else:
        yield view
