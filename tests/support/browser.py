"""Open pages of the service in a browser, driven by Playwright."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, async_playwright, expect

from app.transport.routes.pages import STATIC

SCREENSHOTS = Path(__file__).resolve().parents[1] / "screenshots"

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Names other than 127.0.0.1 are not resolved, so that requests to other hosts fail.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

TIMEOUT_MS = 15_000
"""How long a test waits for what it expects of a page; generous, because the machine may be busy."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium without a window; skip the test if Chromium or the built page is missing."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium: make test-deps")
    if not (STATIC / "index.html").is_file():
        pytest.skip("the page is not built: make web")
    expect.set_options(timeout=TIMEOUT_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        await browser.close()


class Tab:
    """A tab with a page of the service, which records errors and requests to other hosts."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        """Errors on the console, and uncaught exceptions."""
        self.external_requests: list[str] = []
        """The URLs of requests to other hosts."""
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", self._record_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._record_request)

    async def visit(self, path: str = "/") -> Tab:
        """Open a page of the service."""
        await self.page.goto(self.url + path)
        return self

    @property
    def rows(self) -> Locator:
        """The rows of the board, in the order of the document."""
        return self.page.locator("#board tbody tr")

    async def expect_board(self, *lines: tuple[str, int]) -> None:
        """Wait until the board has exactly these names and scores, in this order."""
        await expect(self.rows).to_have_count(len(lines))
        for place, (name, score) in enumerate(lines):
            row = self.rows.nth(place)
            await expect(row).to_have_attribute("data-user", name)
            await expect(row).to_have_attribute("data-score", str(score))
            await expect(row).to_contain_text(f"{score:,}")

    async def expect_badge(self, text: str | re.Pattern[str]) -> None:
        """Wait until the badge of the connection contains `text`."""
        await expect(self.page.locator("header [data-tone]")).to_contain_text(text)

    async def sign_in(self, token: str) -> None:
        """Sign in with a pasted access token."""
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await self.page.get_by_label("Access token").fill(token)
        await self.page.get_by_role("button", name="Sign in with token").click()

    async def screenshot(self, name: str) -> None:
        """Save a screenshot."""
        SCREENSHOTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def _record_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _record_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.external_requests.append(request.url)


@asynccontextmanager
async def tab(browser: Browser, url: str, **context: Any) -> AsyncIterator[Tab]:
    """Open a tab in a new profile; `context` has the arguments of `Browser.new_context`."""
    profile = await browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | context))
    try:
        yield Tab(await profile.new_page(), url)
    finally:
        await profile.close()
