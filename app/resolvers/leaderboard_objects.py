"""Boards as the schema shows them, made once for as long as memory has the same page."""

from __future__ import annotations

from app.domain.boards.board import Page, Source
from app.domain.catalogue.catalogue import Category
from app.execution.lru_cache import LRUCache
from app.schema.boards.leaderboard import Leaderboard

PAGES, ENTRIES = 1000, 20_000

_shown: LRUCache[int, tuple[Page, Category, Leaderboard]] = LRUCache(PAGES, ENTRIES)


def leaderboard_for(page: Page, category: Category, limit: int) -> Leaderboard:
    """The board in the schema's terms. Whoever asks gets the same object for the same page: nobody changes it."""
    known = _shown.get(id(page))
    # What is remembered holds on to its page: nothing else can have come by that id.
    if known is not None and known[0] is page and known[1] is category:
        return known[2]
    board = Leaderboard.of(page, category, f"offset={page.offset}&limit={limit}")
    if page.source is Source.MEMORY:
        _shown.put(id(page), (page, category, board), len(page.entries) + 1)
    return board
