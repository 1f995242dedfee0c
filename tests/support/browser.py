"""A browser that looks at the service, as Playwright drives it."""

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
    # There is no internet: a name that is looked up is a fault of the page.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

PATIENCE = 15_000
"""Milliseconds within which the page must do what is expected: the machine may be busy."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window. Skips the test where it or the built page is missing."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium: make test-deps")
    if not (STATIC / "index.html").is_file():
        pytest.skip("the page is not built: make web")
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        await browser.close()


class Tab:
    """One tab at the service. It remembers what must not happen."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        """Errors on the console, and exceptions that nobody caught."""
        self.elsewhere: list[str] = []
        """Requests that left for another host."""
        page.set_default_timeout(PATIENCE)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._asked)

    async def visit(self, path: str = "/") -> Tab:
        """Go to a page of the service."""
        await self.page.goto(self.url + path)
        return self

    @property
    def rows(self) -> Locator:
        """The lines of the board, in the order of the document."""
        return self.page.locator("#board tbody tr")

    async def shows(self, *lines: tuple[str, int]) -> None:
        """Waits until the board consists of these names and scores, in this order."""
        await expect(self.rows).to_have_count(len(lines))
        for place, (name, score) in enumerate(lines):
            row = self.rows.nth(place)
            await expect(row).to_have_attribute("data-user", name)
            await expect(row).to_have_attribute("data-score", str(score))
            await expect(row).to_contain_text(f"{score:,}")

    async def badge(self, text: str | re.Pattern[str]) -> None:
        """Waits until the badge says so."""
        await expect(self.page.locator("header [data-tone]")).to_contain_text(text)

    async def sign_in(self, token: str) -> None:
        """Sign in with a pasted access token."""
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await self.page.get_by_label("Access token").fill(token)
        await self.page.get_by_role("button", name="Sign in with token").click()

    async def picture(self, name: str) -> None:
        """Save what is to be seen, for people to look at."""
        SCREENSHOTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"{message.text} ({message.location.get('url')})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.elsewhere.append(request.url)


@asynccontextmanager
async def tab(browser: Browser, url: str, **context: Any) -> AsyncIterator[Tab]:
    """A tab in a profile of its own: `context` as `Browser.new_context` takes it."""
    opened = await browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | context))
    try:
        yield Tab(await opened.new_page(), url)
    finally:
        await opened.close()
