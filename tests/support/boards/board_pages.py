"""Pages of boards as clients get them: from memory, else from Redis, else from PostgreSQL."""

from __future__ import annotations

from app.domain.boards.board import Page
from app.domain.boards.board_query import BoardQuery, page_view
from app.domain.boards.periods import Period
from app.wiring import App


async def read_page(app: App, limit: int = 10, category: str = "global", period: Period = Period.ALL_TIME) -> Page:
    """The first entries of the open board."""
    boards = app.board_queries
    kind = boards.category(category, period)
    return (await boards.page(BoardQuery(kind, boards.board(kind, period), page_view(limit)))).value.page
