"""Board queries: arguments are parsed once, and every nested field gets the page of its own view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.domain.boards.board import Board, Page, Source, Version, board_of
from app.domain.boards.board_query import (
    NO_USERS,
    BoardQuery,
    StandingsArguments,
    around_view,
    nested_around_view,
    page_view,
    selection_view,
    standings_view,
    viewer_view,
)
from app.domain.boards.cursors import board_cursor
from app.domain.boards.periods import Period
from app.domain.boards.views import After, Around, Before, FromScore, Position, Slice, View
from app.domain.catalogue.catalogue import Category, SortOrder
from app.domain.errors import BadUserInput

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = board_of("global", Period.DAILY, NOON)
TOMORROW = Board("global", TODAY.window.next)
CATEGORY = Category("global", "Global", 1000)
USER = str(UUID(int=7))
CURSOR = board_cursor(TODAY, Position(-10, NOON, UUID(int=7)))


def standings(board: Board, first: int, **more: Any) -> View[Page]:
    return standings_view(CATEGORY, board, StandingsArguments(first, **more))


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
        (lambda: standings(TODAY, 0), "`first` must be between 1 and 100"),
        (lambda: standings(TODAY, 10, last=101), "`last` must be between 1 and 100"),
        (lambda: standings(TODAY, 10, after=CURSOR, last=5), "Only one of `after`"),
        (lambda: standings(TOMORROW, 10, after=CURSOR), "not valid for this list"),
        (lambda: standings(TODAY, 10, at_rank=0), "`atRank` must be 1 or more"),
        (lambda: standings(TODAY, 10, at_score=-1), "`atScore` must be between 0 and 1000"),
        (lambda: standings(TODAY, 10, at_score=1001), "`atScore` must be between 0 and 1000"),
        (lambda: standings(TODAY, 10, at_score=5, at_rank=3), "Only one of `after`"),
        (lambda: standings(TODAY, 10, last=5, at_rank=3), "Only one of `after`"),
        (lambda: nested_around_view(None, 50, None), "`radius` must be between 0 and 49"),
    ],
)
def test_an_argument_that_is_not_valid_is_named(parse: Callable[[], object], message: str) -> None:
    with pytest.raises(BadUserInput, match=message):
        parse()


def test_standings_lead_forward_unless_last_or_before_is_given() -> None:
    position = Position(-10, NOON, UUID(int=7))
    assert standings(TODAY, 10) == Slice(0, 10)
    assert standings(TODAY, 10, after=CURSOR) == After(position, 10)
    assert standings(TODAY, 10, last=5) == Before(None, 5)
    assert standings(TODAY, 10, before=CURSOR) == Before(position, 10)


def test_standings_begin_at_a_rank_or_at_a_score() -> None:
    assert standings(TODAY, 10, at_rank=31) == Slice(30, 10)
    jump = standings(TODAY, 10, at_score=7)
    assert isinstance(jump, FromScore)
    assert (jump.position.sort_key, jump.limit) == (-7, 10)
    lowest_first = replace(CATEGORY, sort_order=SortOrder.LOW_FIRST)
    jump = standings_view(lowest_first, TODAY, StandingsArguments(10, at_score=7))
    assert isinstance(jump, FromScore)
    assert jump.position.sort_key == 7


def test_the_view_of_a_score_fits_the_next_window_and_a_cursor_does_not() -> None:
    nested = {("b", "score"): standings(TODAY, 10, at_score=7), ("b", "cursor"): standings(TODAY, 10, after=CURSOR)}
    query = BoardQuery(CATEGORY, TODAY, page_view(10), nested)
    pages = tuple((view, page_of(TOMORROW, 1)) for view in nested.values())
    assert query.nested_page(("b", "score"), TOMORROW, pages).total_users == 1
    with pytest.raises(BadUserInput, match="not valid for this list"):
        query.nested_page(("b", "cursor"), TOMORROW, pages)


def test_the_viewer_takes_the_place_of_an_omitted_user() -> None:
    viewer, other = UUID(int=7), UUID(int=8)
    assert nested_around_view(None, 2, viewer) == Around(viewer, 2)
    assert nested_around_view(str(other), 2, viewer) == Around(other, 2)
    assert nested_around_view(None, 2, None) == viewer_view(None) == NO_USERS
    assert viewer_view(viewer) == selection_view([str(viewer)])


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


@pytest.mark.parametrize("view", [standings(TODAY, 5, after=CURSOR), Around(UUID(int=7), 1)])
def test_when_a_window_ends_only_cursors_lose_their_meaning(view: View[Page]) -> None:
    query = BoardQuery(CATEGORY, TODAY, page_view(10), {("b", "x"): view})
    extra_views = ((view, page_of(TOMORROW, 3)),)
    if isinstance(view, After):
        with pytest.raises(BadUserInput, match="not valid for this list"):
            query.nested_page(("b", "x"), TOMORROW, extra_views)
    else:
        assert query.nested_page(("b", "x"), TOMORROW, extra_views).total_users == 3
