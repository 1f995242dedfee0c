"""Board queries: arguments are parsed once, and every nested field gets the page of its own view."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.boards.board import Board, Page, Source, Version, board_of
from app.domain.boards.board_query import BoardQuery, around_view, page_view, selection_view, standings_view
from app.domain.boards.cursors import board_cursor
from app.domain.boards.periods import Period
from app.domain.boards.views import After, Around, Before, Position, Slice, View
from app.domain.catalogue.catalogue import Category
from app.domain.errors import BadUserInput

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = board_of("global", Period.DAILY, NOON)
TOMORROW = Board("global", TODAY.window.next)
CATEGORY = Category("global", "Global", 1000)
USER = str(UUID(int=7))
CURSOR = board_cursor(TODAY, Position(-10, NOON, UUID(int=7)))


def page_of(board: Board, total: int) -> Page:
    return Page(board, Version("one", 1), NOON, Source.REDIS, total, ())


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (lambda: page_view(0), "`limit` must be between 1 and 100"),
        (lambda: page_view(101), "`limit` must be between 1 and 100"),
        (lambda: page_view(10, -1), "`offset` must be between 0 and 10000"),
        (lambda: page_view(10, 10_001), "`offset` must be between 0 and 10000"),
        (lambda: around_view(USER, 50), "`radius` must be between 0 and 49"),
        (lambda: around_view("Ann", 5), "`userId` must be a UUID"),
        (lambda: around_view("Ann", 5, "aroundUserId"), "`aroundUserId` must be a UUID"),
        (lambda: selection_view([USER] * 101), "`userIds` must have at most 100 ids"),
        (lambda: selection_view([USER, "Ann"]), "`userIds` must be a UUID"),
        (lambda: standings_view(TODAY, 0, None, None, None), "`first` must be between 1 and 100"),
        (lambda: standings_view(TODAY, 10, None, 101, None), "`last` must be between 1 and 100"),
        (lambda: standings_view(TODAY, 10, CURSOR, 5, None), "`after` cannot be combined"),
        (lambda: standings_view(TOMORROW, 10, CURSOR, None, None), "not valid for this list"),
    ],
)
def test_an_argument_that_is_not_valid_is_named(parse: Callable[[], object], message: str) -> None:
    with pytest.raises(BadUserInput, match=message):
        parse()


def test_standings_lead_forward_unless_last_or_before_is_given() -> None:
    position = Position(-10, NOON, UUID(int=7))
    assert standings_view(TODAY, 10, None, None, None) == Slice(0, 10)
    assert standings_view(TODAY, 10, CURSOR, None, None) == After(position, 10)
    assert standings_view(TODAY, 10, None, 5, None) == Before(None, 5)
    assert standings_view(TODAY, 10, None, None, CURSOR) == Before(position, 10)


def test_fields_with_the_same_view_share_a_page_and_others_have_their_own() -> None:
    near, wide = Around(UUID(int=7), 1), Around(UUID(int=7), 5)
    query = BoardQuery(CATEGORY, TODAY, page_view(10), {("b", "x"): near, ("b", "y"): near, ("b", "z"): wide})
    assert query.extra_views == (near, wide)
    extra_views = ((near, page_of(TODAY, 1)), (wide, page_of(TODAY, 2)))
    totals = [query.nested_page(("b", key), TODAY, extra_views).total_users for key in "xyz"]
    assert totals == [1, 1, 2]


def test_invalid_arguments_of_one_field_leave_the_others_their_pages() -> None:
    near = Around(UUID(int=7), 1)
    query = BoardQuery(CATEGORY, TODAY, page_view(10), {("b", "x"): BadUserInput("wrong"), ("b", "y"): near})
    assert query.extra_views == (near,)
    extra_views = ((near, page_of(TODAY, 1)),)
    assert query.nested_page(("b", "y"), TODAY, extra_views).total_users == 1
    for _ in range(2):
        with pytest.raises(BadUserInput, match="wrong"):
            query.nested_page(("b", "x"), TODAY, extra_views)


@pytest.mark.parametrize("view", [standings_view(TODAY, 5, CURSOR, None, None), Around(UUID(int=7), 1)])
def test_when_a_window_ends_only_cursors_lose_their_meaning(view: View[Page]) -> None:
    query = BoardQuery(CATEGORY, TODAY, page_view(10), {("b", "x"): view})
    extra_views = ((view, page_of(TOMORROW, 3)),)
    if isinstance(view, After):
        with pytest.raises(BadUserInput, match="not valid for this list"):
            query.nested_page(("b", "x"), TOMORROW, extra_views)
    else:
        assert query.nested_page(("b", "x"), TOMORROW, extra_views).total_users == 3
