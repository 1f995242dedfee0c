"""The service on a master that Sentinel names, while the master is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.config import Settings
from tests.e2e.boards.test_subscriptions import shown, watching
from tests.support.processes.redis_sentinel import SentinelServers, redis_sentinel
from tests.support.service import BOARD, serving
from tests.support.wait_until import TIMEOUT, until_answer


@pytest.fixture
async def sentinel() -> AsyncIterator[SentinelServers]:
    async with redis_sentinel() as servers:
        yield servers


async def test_boards_and_watchers_follow_the_master_that_sentinel_names(settings: Settings, sentinel: SentinelServers):
    async with serving(settings.model_copy(update={"redis_url": sentinel.url})) as service:
        alice = service.player("alice")
        async with watching(service) as watcher:
            assert (await alice.play("COMPLETE_LEVEL"))["newScore"] == 50
            await watcher.until([("alice", 50)])
            sentinel.master.kill()
            assert (await alice.play("COMPLETE_LEVEL"))["newScore"] == 100
            await sentinel.until_promoted()
            await until_answer(lambda: service.anonymous.ask(BOARD), _is_current, timeout=2 * TIMEOUT, interval=0.05)
            assert (await alice.play("COMPLETE_LEVEL"))["newScore"] == 150
            async with asyncio.timeout(2 * TIMEOUT):
                while shown(await watcher.next(2 * TIMEOUT)) != [("alice", 150)]:
                    pass
        await until_answer(
            lambda: service.http.get("/readyz"),
            lambda reply: reply.json()["status"] == "ok",
            timeout=2 * TIMEOUT,
            interval=0.1,
        )


def _is_current(data: dict[str, Any]) -> bool:
    board = data["leaderboard"]
    return [entry["score"] for entry in board["entries"]] == [100] and board["source"] != "POSTGRES"
