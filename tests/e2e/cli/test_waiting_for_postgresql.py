"""`serve` and `migrate` that start while PostgreSQL is away wait for it, and say so."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT, until_answer


@asynccontextmanager
async def command(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command during the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", *arguments,
        env=os.environ | environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await asyncio.wait_for(process.stderr.readline(), TIMEOUT)).decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def answers(port: int) -> bool:
    try:
        async with httpx2.AsyncClient(timeout=5) as http:
            return (await http.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
    except httpx2.TransportError:
        return False


async def test_serve_waits_for_postgresql_and_serves_when_it_is_there(postgres_server: BreakableServer, redis_url: str):
    postgres_server.kill()
    port = free_port()
    stores = {"DATABASE_URL": postgres_server.url, "REDIS_URL": redis_url, "DB_POOL_MIN": "1"}
    async with command("serve", PORT=str(port), LOG_LEVEL="WARNING", **stores) as server:
        line = await line_of(server)
        assert "waiting up to 60 s for PostgreSQL at 127.0.0.1:" in line
        await postgres_server.start()
        await until_answer(lambda: answers(port), bool, timeout=60)


@pytest.mark.parametrize("arguments", [["serve"], ["migrate"]])
async def test_a_signal_ends_the_wait(arguments: list[str], postgres_server: BreakableServer, redis_url: str):
    postgres_server.kill()
    stores = {"DATABASE_URL": postgres_server.url, "REDIS_URL": redis_url}
    async with command(*arguments, PORT="0", START_TIMEOUT="3600", **stores) as process:
        assert "waiting up to 3600 s" in await line_of(process)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), TIMEOUT) in (0, -signal.SIGTERM)


async def test_the_wait_is_bounded_and_ends_in_one_line(postgres_server: BreakableServer, redis_url: str):
    postgres_server.kill()
    stores = {"DATABASE_URL": postgres_server.url, "REDIS_URL": redis_url}
    async with command("migrate", START_TIMEOUT="1", **stores) as process:
        assert "waiting up to 1 s" in await line_of(process)
        assert "PostgreSQL at 127.0.0.1:" in await line_of(process)
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 1


async def test_a_wrong_password_is_no_reason_to_wait(database_url: str, redis_url: str):
    wrong = database_url.replace("leaderboard:", "leaderboard:wrong", 1)
    async with command("migrate", START_TIMEOUT="3600", DATABASE_URL=wrong, REDIS_URL=redis_url) as process:
        assert "password authentication failed" in await line_of(process)
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 1
