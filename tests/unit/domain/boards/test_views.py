"""Views that are read together, and boards as of an instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.domain.boards.board import Board, Entry, Page, Source, Version, board_of, looks_different
from app.domain.boards.periods import Period
from app.domain.boards.views import (
    Around,
    CompositeView,
    Head,
    Slice,
    UserSelection,
    compose,
    flatten,
    with_extra_views,
)
from app.domain.users import Profile

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOARD = board_of("global", Period.ALL_TIME, NOW)
ALICE = UUID(int=1)


def page(score: int) -> Page:
    entry = Entry(1, 1, 0, score, NOW, Profile(ALICE, "alice", None, NOW))
    return Page(BOARD, Version("one", score), NOW, Source.REDIS, 1, (entry,))


def test_views_are_taken_apart_and_each_part_is_read_once():
    around, friends = Around(ALICE, 2), UserSelection(frozenset({ALICE}))
    together = CompositeView(Head(), (around, friends))
    assert flatten([Head(), together, around]) == [Head(), around, friends]


def test_the_parts_come_back_beside_the_page_they_were_asked_with():
    around = Around(ALICE, 2)
    state = compose(CompositeView(Head(), (around,)), {Head(): page(5), around: page(6)})
    assert state == replace(page(5), extra_views=((around, page(6)),))
    assert compose(Head(), {Head(): page(5)}) == page(5)


def test_a_page_alone_is_asked_for_by_its_own_view():
    assert with_extra_views(Slice(0, 3), ()) == Slice(0, 3)
    assert with_extra_views(Slice(0, 3), [Head()]) == CompositeView(Slice(0, 3), (Head(),))


def test_a_page_looks_different_when_only_what_is_beside_it_does():
    before = replace(page(5), extra_views=((Head(), page(6)),))
    assert not looks_different(before, replace(before, as_of=NOW + timedelta(seconds=1)))
    assert looks_different(before, replace(before, extra_views=((Head(), page(7)),)))


def test_the_key_of_a_board_names_its_category_its_window_and_its_instant():
    assert board_of("a-b", Period.ALL_TIME, NOW).key == "a-b/ALL_TIME"
    assert board_of("global", Period.DAILY, NOW).key == f"global/DAILY:{NOW.date()}"
    past = Board("global", BOARD.window, datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert past.key == f"{BOARD.key}@2026-11-20T12:00:00+00:00"
