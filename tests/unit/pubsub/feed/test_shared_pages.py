"""Pages of a head: made once for all who show them, for as long as the head is the same."""

from __future__ import annotations

import pytest

from app.domain.boards.board import Page
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.catalogue.catalogue import Category
from app.pubsub.feed.feed import MAX_SHARED_ENTRIES
from app.pubsub.feed.shared_page import SharedPage
from tests.unit.pubsub.hub_fixture import Stage, staged
from tests.unit.pubsub.manual_clock import settle

TOP_TEN = Slice(0, 10)
FIRST, SECOND = Category("global", "Global", 1000), Category("global", "Global, renamed", 1000)


def page_of(stage: Stage, view: Slice = TOP_TEN) -> SharedPage:
    page = stage.hub.page("global", Period.ALL_TIME, view)
    assert page is not None
    return page


async def test_a_page_is_one_object_until_the_head_changes() -> None:
    async with staged() as stage:
        await stage.score(1, 10)
        await stage.hub.fresh_page("global", Period.ALL_TIME, TOP_TEN)
        before = page_of(stage)
        assert page_of(stage) is before
        assert before.head is stage.hub.current_head("global", Period.ALL_TIME)
        await stage.score(2, 20)
        await settle()
        await stage.hub.fresh_page("global", Period.ALL_TIME, TOP_TEN)
        after = page_of(stage)
        assert after is not before
        assert [entry.score for entry in after.page.entries] == [20, 10]


async def test_clients_who_choose_many_slices_do_not_fill_the_memory() -> None:
    async with staged() as stage:
        for user in range(100):
            stage.boards.put(stage.board, user, user)
        await stage.hub.fresh_page("global", Period.ALL_TIME, TOP_TEN)
        first = page_of(stage)
        others = [Slice(offset, limit) for offset in range(50) for limit in range(1, 51)]
        assert sum(view.limit for view in others) > MAX_SHARED_ENTRIES
        for view in others:
            assert len(page_of(stage, view).page.entries) == view.limit
        again = page_of(stage)
        assert again is not first
        assert again.page == first.page


def test_what_a_page_is_shown_as_is_made_once_per_category() -> None:
    made: list[Page] = []
    page = SharedPage(page=Page.__new__(Page))

    def render(page: Page) -> int:
        made.append(page)
        return len(made)

    assert [page.rendered(FIRST, render), page.rendered(FIRST, render)] == [1, 1]
    assert [page.rendered(SECOND, render), page.rendered(SECOND, render)] == [2, 2]


async def test_a_slice_of_the_head_can_be_watched_but_none_beyond_it() -> None:
    async with staged() as stage:
        with pytest.raises(ValueError, match="within the first 100 entries"):
            stage.hub.watch("global", Period.ALL_TIME, Slice(95, 10))
        for user in (1, 2, 3, 4):
            stage.boards.put(stage.board, user, user)
        watcher = stage.show(stage.hub.watch("global", Period.ALL_TIME, Slice(1, 2)))
        await settle()
        assert [entry.rank for entry in watcher.last.page.entries] == [2, 3]
