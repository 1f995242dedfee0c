"""Run the server as a separate process, which a test can kill and restart on the same port."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from types import TracebackType

import httpx2

from app.config import Settings
from tests.support.wait_until import TIMEOUT


class ServerProcess:
    """`leaderboard serve` with the stores of `settings`; `start` starts it."""

    def __init__(self, settings: Settings) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._environment = os.environ | {
            "DATABASE_URL": str(settings.database_url),
            "REDIS_URL": str(settings.redis_url),
            "REDIS_PREFIX": settings.redis_prefix,
            "DB_POOL_MIN": "1",
            "RATE_LIMIT_ENABLED": "false",
            "LOG_LEVEL": "WARNING",
            "PORT": str(port),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.cli", "serve", env=self._environment, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(TIMEOUT), httpx2.AsyncClient(base_url=self.url, timeout=TIMEOUT) as http:
            while not await _answers(http):  # noqa: ASYNC110  another process has no event
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kill the server."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await asyncio.wait_for(self._process.wait(), TIMEOUT)

    async def __aenter__(self) -> ServerProcess:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()


async def _answers(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/livez")).status_code == 200
    except httpx2.TransportError:
        return False
