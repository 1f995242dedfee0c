"""Queries that wait for one reading together."""

from __future__ import annotations

import asyncio

from app.domain.boards.board import Page
from app.domain.errors import ServiceUnavailable


class PendingReads:
    """Those who wait, in the order in which they came."""

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[Page]] = []

    def __len__(self) -> int:
        return len(self._futures)

    async def wait(self) -> Page:
        """The page of the next answer. Raises ServiceUnavailable when there is none."""
        future: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return await future

    def answer(self, page: Page | None, count: int | None = None) -> None:
        """Gives the first `count` of them, or all, the page, or the news that there is none."""
        ready = self._futures[:count]
        del self._futures[:count]
        for future in ready:
            if future.done():  # gone meanwhile
                continue
            if page is None:
                future.set_exception(ServiceUnavailable())
            else:
                future.set_result(page)
