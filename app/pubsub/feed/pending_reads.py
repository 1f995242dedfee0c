"""Queries that wait for the next read of a feed."""

from __future__ import annotations

import asyncio

from app.domain.boards.board import Page
from app.domain.errors import ServiceUnavailable


class PendingReads:
    """The pending queries, in the order in which they arrived."""

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[Page]] = []

    def __len__(self) -> int:
        return len(self._futures)

    async def wait(self) -> Page:
        """Wait for the next answer. Raises ServiceUnavailable if there is no page."""
        future: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return await future

    def answer(self, page: Page | None, count: int | None = None) -> None:
        """Answer the first `count` queries, or all, with `page`, or with ServiceUnavailable if it is None."""
        answered = self._futures[:count]
        del self._futures[:count]
        for future in answered:
            if future.done():  # Its caller was cancelled.
                continue
            if page is None:
                future.set_exception(ServiceUnavailable())
            else:
                future.set_result(page)
