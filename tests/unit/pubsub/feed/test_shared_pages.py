"""Pages of a head: made once for all who show them, for as long as the head is the same."""

from __future__ import annotations

import pytest

from app.domain.boards.board import Page
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.catalogue.catalogue import Category
from app.pubsub.feed.feed import MAX_SHARED_ENTRIES
from app.pubsub.feed.shared_page import SharedPage
from tests.unit.pubsub.hub_fixture import HubFixture, running_hub
from tests.unit.pubsub.manual_clock import settle

TOP_TEN = Slice(0, 10)
FIRST, SECOND = Category("global", "Global", 1000), Category("global", "Global, renamed", 1000)


def page_of(hub_fixture: HubFixture, view: Slice = TOP_TEN) -> SharedPage:
    page = hub_fixture.hub.page("global", Period.ALL_TIME, view)
    assert page is not None
    return page


async def test_a_page_is_one_object_until_the_head_changes() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        await hub_fixture.hub.fresh_page("global", Period.ALL_TIME, TOP_TEN)
        before = page_of(hub_fixture)
        assert page_of(hub_fixture) is before
        assert before.head is hub_fixture.hub.current_head("global", Period.ALL_TIME)
        await hub_fixture.score(2, 20)
        await settle()
        await hub_fixture.hub.fresh_page("global", Period.ALL_TIME, TOP_TEN)
        after = page_of(hub_fixture)
        assert after is not before
        assert [entry.score for entry in after.page.entries] == [20, 10]


async def test_clients_who_choose_many_slices_do_not_fill_the_memory() -> None:
    async with running_hub() as hub_fixture:
        for user in range(100):
            hub_fixture.boards.put(hub_fixture.board, user, user)
        await hub_fixture.hub.fresh_page("global", Period.ALL_TIME, TOP_TEN)
        first = page_of(hub_fixture)
        others = [Slice(offset, limit) for offset in range(50) for limit in range(1, 51)]
        assert sum(view.limit for view in others) > MAX_SHARED_ENTRIES
        for view in others:
            assert len(page_of(hub_fixture, view).page.entries) == view.limit
        again = page_of(hub_fixture)
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
    async with running_hub() as hub_fixture:
        with pytest.raises(ValueError, match="within the first 100 entries"):
            hub_fixture.hub.watch("global", Period.ALL_TIME, Slice(95, 10))
        for user in (1, 2, 3, 4):
            hub_fixture.boards.put(hub_fixture.board, user, user)
        watcher = hub_fixture.show(hub_fixture.hub.watch("global", Period.ALL_TIME, Slice(1, 2)))
        await settle()
        assert [entry.rank for entry in watcher.last.page.entries] == [2, 3]
