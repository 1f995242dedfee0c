"""A browser for the tests that look at pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.support.browser import Tab, chromium, tab
from tests.support.service import Service

OpenTab = Callable[..., Awaitable[Tab]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def open_tab(browser: Browser, service: Service) -> AsyncIterator[OpenTab]:
    """Opens tabs at the service; at the end none may have complained or asked anybody else."""
    async with AsyncExitStack() as stack:
        tabs: list[Tab] = []

        async def open_(path: str = "/", **context: Any) -> Tab:
            opened = await stack.enter_async_context(tab(browser, service.url, **context))
            tabs.append(opened)
            return await opened.visit(path)

        yield open_
        for opened in tabs:
            assert opened.errors == []
            assert opened.external_requests == []
