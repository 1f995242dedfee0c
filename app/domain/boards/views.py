"""Views: what can be asked of a board. Any number of them is read at one version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from app.domain.boards.board import Page
from app.domain.boards.overtaking import UserView

State = Page | UserView
S = TypeVar("S", bound=State)


class View(Generic[S]):
    """Something to see of a board, whose state is an S. Equal views are the same view."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A point in board order: where a user with this sort key, reached at this instant, stands or would stand."""

    sort_key: int
    reached_at: datetime
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Head(View[Page]):
    """The first `TOP` entries of a board: a Page at offset 0."""


@dataclass(frozen=True, slots=True)
class Slice(View[Page]):
    """`limit` entries of a board from a 0-based `offset` on."""

    offset: int
    limit: int


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


@dataclass(frozen=True, slots=True)
class After(View[Page]):
    """The `limit` entries that follow a position. Whoever stood there may have moved or gone since."""

    position: Position
    limit: int


@dataclass(frozen=True, slots=True)
class Before(View[Page]):
    """The `limit` entries that lead up to a position; up to the end of the board when it is None."""

    position: Position | None
    limit: int


@dataclass(frozen=True, slots=True)
class UserSelection(View[Page]):
    """These users in board order, with their ranks among all: a Page with gaps. Users without a row are left out."""

    users: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class CompositeView(View[Page]):
    """A page with other pages of the same board beside it: the Page of `main`, theirs in its `extra_views`."""

    main: View[Page]
    extra_views: tuple[View[Page], ...]


def with_extra_views(main: View[Page], extra_views: Sequence[View[Page]]) -> View[Page]:
    """The view of a page with other pages beside it, if there are any."""
    return CompositeView(main, tuple(extra_views)) if extra_views else main


def flatten(views: Iterable[View[Any]]) -> list[View[Any]]:
    """The views with every `CompositeView` taken apart, each view once."""
    return list(dict.fromkeys(part for view in views for part in _parts(view)))


def compose(view: View[Any], states: dict[View[Any], State]) -> State:
    """The state of `view`, from the states of its parts."""
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
