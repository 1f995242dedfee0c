"""The live page in a browser: its size, the time until it shows the board, and dropped frames.

python -m bench.live_page
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import Browser, async_playwright

from app.embedded import Stores
from app.models.migrate import upgrade
from app.transport.routes.pages import STATIC
from bench.reporting import machine
from bench.reporting.report import Report
from bench.subjects.processes import start
from bench.subjects.stores import private_stores

PLAYERS = 12
UPDATES_PER_SECOND = 20
SECONDS = 10
VISITS = 5
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
FRAMES = ["devtools.timeline", "devtools.timeline.frame", "disabled-by-default-devtools.timeline.frame"]

# Measures from the start of the navigation to the first frame that contains a row of the board.
FIRST_BOARD = """
new MutationObserver((_, observer) => {
    if (!document.querySelector("#board tbody tr")) return
    observer.disconnect()
    requestAnimationFrame(() => requestAnimationFrame(() => { window.firstBoard = performance.now() }))
}).observe(document, { childList: true, subtree: true })
"""

PAINTED = """new Promise((done) => {
    const look = () => (window.firstBoard ? done(window.firstBoard) : requestAnimationFrame(look))
    look()
})"""

ISSUE = """mutation ($action: String!) { issueActionToken(input: { actionType: $action }) {
    ... on ActionTokenIssued { actionToken } ... on UserError { message } } }"""
SUBMIT = "mutation ($token: String!) { submitScore(input: { actionToken: $token }) { __typename } }"


def script_bytes() -> int:
    """Return the bytes of compressed JavaScript that the board's page loads."""
    page = (STATIC / "index.html").read_text()
    scripts = set(re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', page))
    pending, seen = list(scripts), set[str]()
    while pending:
        script = pending.pop()
        seen.add(script)
        imports = re.findall(r'(?:from|import)\s*\(?["\']\./([^"\']+\.js)["\']', (STATIC / script).read_text())
        pending += [name for name in (f"assets/{found}" for found in imports) if name not in seen]
    return sum((STATIC / f"{script}.gz").stat().st_size for script in seen)


@contextmanager
def serving(stores: Stores) -> Iterator[str]:
    """Run the service with high limits during the block; yield its URL."""
    upgrade(stores.database_url)
    environment = {
        "DATABASE_URL": stores.database_url,
        "REDIS_URL": stores.redis_url,
        "RATE_LIMIT_ENABLED": "false",
        "MAX_OPEN_TOKENS": "1000",
        "LOG_LEVEL": "ERROR",
    }
    server = start([sys.executable, "-m", "bench.subjects.serve", "ours"], environment)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


class ActivePlayers:
    """Players who complete actions in turn."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._headers: list[dict[str, str]] = []
        self._turn = 0

    async def sign_in(self, count: int) -> None:
        """Sign in `count` players, who complete one action each."""
        for number in range(count):
            answer = await self._http.post("/demo/token", json={"user": f"player-{number}"})
            self._headers.append({"authorization": f"Bearer {answer.json()['token']}"})
            await self._complete(self._headers[-1], "COMPLETE_LEVEL")

    async def complete_next(self) -> None:
        """Let the next player complete an action."""
        self._turn += 7  # prime to the number of players, so that neighbours on the board take turns
        headers = self._headers[self._turn % len(self._headers)]
        await self._complete(headers, "COMPLETE_LEVEL" if self._turn % 3 else "COMPLETE_QUIZ")

    async def play(self, rate: int, seconds: int) -> None:
        """Start `rate` actions per second for `seconds`."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(rate * seconds):
                await asyncio.sleep(start + number / rate - loop.time())
                group.create_task(self.complete_next())

    async def _complete(self, headers: dict[str, str], action: str) -> None:
        issued = await self._ask(headers, ISSUE, action=action)
        await self._ask(headers, SUBMIT, token=issued["issueActionToken"]["actionToken"])

    async def _ask(self, headers: dict[str, str], query: str, **variables: str) -> dict[str, Any]:
        answer = await self._http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        data: dict[str, Any] = answer.json()["data"]
        return data


async def first_board(browser: Browser, url: str) -> float:
    """Return the milliseconds from the navigation to the painted board, with an empty cache."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.add_init_script(FIRST_BOARD)
    await page.goto(url)
    await page.locator("#board tbody tr").first.wait_for()
    elapsed = float(await page.evaluate(PAINTED))
    await context.close()
    return elapsed


async def frames(browser: Browser, url: str, players: ActivePlayers) -> tuple[Counter[str], list[float]]:
    """Return the frames of the browser's trace during play, by kind, and its long tasks in milliseconds."""
    context = await browser.new_context(viewport={"width": 1920, "height": 1080})
    page = await context.new_page()
    await page.goto(f"{url}/?wall")
    await page.locator("#board tbody tr").nth(9).wait_for()
    await browser.start_tracing(page=page, categories=FRAMES)
    await players.play(UPDATES_PER_SECOND, SECONDS)
    events = json.loads(await browser.stop_tracing())["traceEvents"]
    await context.close()
    named = Counter(_frame(event) for event in events if event["name"] in ("DrawFrame", "DroppedFrame"))
    tasks = [event["dur"] / 1000 for event in events if event["name"] == "RunTask" and event.get("dur", 0) > 50_000]
    return named, tasks


def _frame(event: dict[str, Any]) -> str:
    """Return the kind of a frame: a late one animates but lacks new text, a dropped one shows nothing new."""
    if event["name"] == "DrawFrame":
        return "drawn"
    return "late" if event["args"].get("hasPartialUpdate") else "dropped"


async def measure(url: str, chromium: str, report: Report) -> None:
    """Measure and add the table to the report."""
    async with httpx2.AsyncClient(base_url=url, timeout=20) as http, async_playwright() as playwright:
        players = ActivePlayers(http)
        await players.sign_in(PLAYERS)
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        painted = [await first_board(browser, url) for _ in range(VISITS)]
        drawn, tasks = await frames(browser, url, players)
        await browser.close()
    rows = [
        ["JavaScript, compressed", "150 kB", f"{script_bytes() / 1000:.0f} kB"],
        ["first board painted, cold cache, median", "1000 ms", f"{statistics.median(painted):.0f} ms"],
        ["first board painted, cold cache, worst", "1000 ms", f"{max(painted):.0f} ms"],
        [f"frames dropped, {UPDATES_PER_SECOND} updates/s for {SECONDS} s", "0", str(drawn["dropped"])],
        ["frames with new text one frame late", "", str(drawn["late"])],
        ["frames drawn", "", str(drawn["drawn"])],
        ["tasks over 50 ms meanwhile", "0", str(len(tasks))],
    ]
    report.table("The live page in Chromium, without a GPU", ("what", "budget", "measured"), rows)


def main() -> None:
    """Measure and print."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or not (STATIC / "index.html").is_file():
        sys.exit("needs Chromium (make test-deps) and the built page (make web)")
    report = Report(Path(__file__).stem, machine.describe())
    with private_stores() as stores, serving(stores) as url:
        asyncio.run(measure(url, chromium, report))


if __name__ == "__main__":
    main()
