"""The example of a receiver grants each bonus exactly once, however often its event arrives."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from pathlib import Path

import httpx2
from sqlalchemy import text

from app.runtime import utc_now
from app.wiring import App
from tests.integration.events.conftest import MODERATOR, deliver
from tests.support.boards.ledgers import award
from tests.support.events import recorded
from tests.support.manual_clock import WallClock
from tests.support.service import caller
from tests.support.wait_until import TIMEOUT

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "webhooks" / "grant_bonus.py"


def balances(database: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(database) as connection:
        return connection.execute("SELECT user_id, balance FROM coins").fetchall()


async def test_a_bonus_is_granted_exactly_once(outbox_app: App, clock: WallClock, tmp_path: Path) -> None:
    clock.now = utc_now()  # The example refuses old deliveries.
    database = tmp_path / "game.db"
    added = await outbox_app.outbox.endpoints.add(MODERATOR, "http://127.0.0.1:1/", ("milestone.reached",), ())
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), "0", str(database), stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"WEBHOOK_SECRET": added.secret},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), TIMEOUT)
        url = line.decode().split()[-1]
        async with outbox_app.database.begin() as connection:
            await connection.execute(text("UPDATE event_endpoints SET url = :url"), {"url": url})
        alice = caller("alice")
        await award(outbox_app, alice, 150)
        await recorded(outbox_app)
        since = clock.now.replace(year=clock.now.year - 1)
        for _ in range(3):
            await deliver(outbox_app, clock)
            await outbox_app.outbox.endpoints.replay(MODERATOR, added.report.endpoint.id, since)
        assert outbox_app.outbox.attempts[str(added.report.endpoint.id), "succeeded"] == 3
        assert balances(database) == [(str(alice.user_id), 100)]
        async with httpx2.AsyncClient(timeout=TIMEOUT) as http:
            forged = await http.post(url, content=b"{}", headers={"webhook-id": "1", "webhook-timestamp": "1"})
        assert forged.status_code == 401
    finally:
        process.kill()
        await asyncio.wait_for(process.wait(), TIMEOUT)
