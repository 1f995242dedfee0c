"""Board queries: everything that one request asks of a board, parsed and validated once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from app.domain.boards.board import TOP, Board, ExtraViews, Page
from app.domain.boards.cursors import FOREIGN_CURSOR, parse_board_cursor
from app.domain.boards.views import After, Around, Before, FromScore, Position, Slice, UserSelection, View
from app.domain.catalogue.catalogue import Category
from app.domain.errors import BadUserInput
from app.domain.ids import parse_id
from app.domain.instants import from_micros
from app.domain.ledger.scoring import sort_key

MAX_OFFSET = 10_000
MAX_RADIUS = 49
MAX_SELECTED_USERS = 100

FieldKey = tuple[str, str]
"""Where a nested field is in a response: the response key of its board, and its own."""

NestedViews = Mapping[FieldKey, View[Page] | BadUserInput]
"""The views that nested fields of a board show; BadUserInput for a field whose arguments are not valid."""


NO_NESTED_VIEWS: NestedViews = MappingProxyType({})


NO_USERS = UserSelection(frozenset())
"""The view without entries."""


class BoardQuery(NamedTuple):
    """A page of a board, with the views that nested fields show of the same version."""

    category: Category
    board: Board
    view: Slice | Around
    nested: NestedViews = NO_NESTED_VIEWS

    @property
    def extra_views(self) -> tuple[View[Page], ...]:
        """The views of all nested fields with valid arguments, each once."""
        if not self.nested:
            return ()
        return tuple(dict.fromkeys(view for view in self.nested.values() if not isinstance(view, BadUserInput)))

    def nested_page(self, key: FieldKey, board: Board, extra_views: ExtraViews) -> Page:
        """Return the page that a nested field shows.

        Args:
            key: The place of the field in the response.
            board: The board that was read. In a subscription it can be a later window than that of the query.
            extra_views: The pages that were read for `self.extra_views`.

        Raises:
            BadUserInput: The arguments of the field are not valid for `board`.
        """
        view = self.nested[key]
        if isinstance(view, BadUserInput):
            raise BadUserInput(view.message)
        is_cursor = isinstance(view, After | Before) and not isinstance(view, FromScore) and view.position is not None
        if is_cursor and board != self.board:
            raise BadUserInput(FOREIGN_CURSOR)
        return next(page for extra, page in extra_views if extra == view)


def page_view(limit: int, offset: int = 0) -> Slice:
    """Return the view of `limit` entries from a 0-based `offset` on. Raises BadUserInput."""
    if not 1 <= limit <= TOP:
        raise BadUserInput(f"`limit` must be between 1 and {TOP}.")
    if not 0 <= offset <= MAX_OFFSET:
        raise BadUserInput(f"`offset` must be between 0 and {MAX_OFFSET}.")
    return Slice(offset, limit)


def around_view(user_id: str, radius: int, argument: str = "userId") -> Around:
    """Return the view of a user with the entries around them. Raises BadUserInput.

    Args:
        user_id: The id as the client sent it.
        radius: How many entries to show above and below the user.
        argument: The name of the argument that `user_id` was passed in, for the error message.
    """
    check_radius(radius)
    return Around(parse_id(argument, user_id), radius)


def check_radius(radius: int) -> None:
    """Raise BadUserInput for a radius that is out of range."""
    if not 0 <= radius <= MAX_RADIUS:
        raise BadUserInput(f"`radius` must be between 0 and {MAX_RADIUS}.")


def nested_around_view(user_id: str | None, radius: int, viewer: UUID | None) -> Around | UserSelection:
    """Return the view of a user, or else of the viewer, with the entries around them. Raises BadUserInput."""
    if user_id is None and viewer is None:
        check_radius(radius)
        return NO_USERS
    return around_view(str(viewer) if user_id is None else user_id, radius)


def viewer_view(viewer: UUID | None) -> UserSelection:
    """Return the view of the viewer's own entry, which is empty for an anonymous one."""
    return NO_USERS if viewer is None else UserSelection(frozenset((viewer,)))


def selection_view(user_ids: Sequence[str]) -> UserSelection:
    """Return the view that compares users. Raises BadUserInput."""
    if len(user_ids) > MAX_SELECTED_USERS:
        raise BadUserInput(f"`userIds` must have at most {MAX_SELECTED_USERS} ids.")
    return UserSelection(frozenset(parse_id("userIds", user_id) for user_id in user_ids))


class StandingsArguments(NamedTuple):
    """The arguments of a page of standings, as the client sent them."""

    first: int
    after: str | None = None
    last: int | None = None
    before: str | None = None
    at_rank: int | None = None
    at_score: int | None = None


def standings_view(category: Category, board: Board, given: StandingsArguments) -> After | Before | Slice:
    """Return the view of a page of standings: from the top, a cursor, a rank or a score on, or back from a cursor.

    The page leads backward when `last` or `before` is given, else forward.

    Raises:
        BadUserInput: A value is out of range, or the arguments contradict each other.
    """
    first, after, last, before, at_rank, at_score = given
    size = first if last is None else last
    if not 1 <= size <= TOP:
        raise BadUserInput(f"`{'first' if last is None else 'last'}` must be between 1 and {TOP}.")
    is_backward = last is not None or before is not None
    if is_backward + (after is not None) + (at_rank is not None) + (at_score is not None) > 1:
        raise BadUserInput("Only one of `after`, `atRank`, `atScore`, and `before` with `last`, can be given.")
    if is_backward:
        return Before(None if before is None else parse_board_cursor(board, before), size)
    if after is not None:
        return After(parse_board_cursor(board, after), size)
    if at_score is not None:
        return FromScore(_before_all_with(category, at_score), size)
    if at_rank is not None and at_rank < 1:
        raise BadUserInput("`atRank` must be 1 or more.")
    return Slice((at_rank or 1) - 1, size)


def _before_all_with(category: Category, score: int) -> Position:
    """Return the position before all users with a score. Raises BadUserInput for one that nobody can have."""
    if not 0 <= score <= category.score_cap:
        raise BadUserInput(f"`atScore` must be between 0 and {category.score_cap}.")
    return Position(sort_key(category.sort_order, score), from_micros(0), UUID(int=0))
