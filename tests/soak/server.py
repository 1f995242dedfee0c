"""A server to soak, and what it holds: tasks, descriptors, memory, and what its metrics count."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import redis.asyncio

from app.config import Settings
from tests.support.wait_until import TIMEOUT, until, until_answer

GAUGES = (
    "feeds",
    "watchers",
    "subscription_groups",
    "subscription_group_subscribers",
    "streams",
    "sockets",
    "socket_operations",
)
MEGABYTE = 1024 * 1024
POOLED = {"store connections": 18, "tasks": 6, "threads": 2}
"""By how much the pools of connections to the stores may grow under load; they shrink later."""


@dataclass
class SoakedServer:
    """A running server."""

    url: str
    settings: Settings
    pid: int
    http: httpx2.AsyncClient
    tasks_file: Path

    async def held(self) -> dict[str, int]:
        """Return how much it holds of everything that comes and goes with clients."""
        text = (await self.http.get("/metrics")).text
        values = {}
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            for gauge in GAUGES:
                if name in (gauge, f"leaderboard_{gauge}"):
                    values[gauge] = int(float(value))
        assert values.keys() == set(GAUGES), values
        values["tasks"] = await self._tasks()
        values |= self._descriptors()
        values["threads"] = len(os.listdir(f"/proc/{self.pid}/task"))
        values["registered sockets"] = await self._registered()
        return values

    async def settled(self, base: dict[str, int]) -> dict[str, int]:
        """Wait until it holds no more than `base`, and return what it holds; also if that does not come about."""
        held = await self.held()
        try:
            held = await until_answer(self.held, lambda now: not excess(now, base), timeout=3 * TIMEOUT, interval=0.5)
        except TimeoutError:
            held = await self.held()
        return held

    def memory(self) -> int:
        """Return its resident memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _descriptors(self) -> dict[str, int]:
        """Return how many descriptors there are by what they lead to.

        A socket that leads nowhere any more counts as one to a client: it was not closed.
        """
        stores = {urlsplit(str(url)).port for url in (self.settings.database_url, self.settings.redis_url)}
        remote_ports = _remote_ports(self.pid)
        counts = dict.fromkeys(("store connections", "client sockets", "other descriptors"), 0)
        for descriptor in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                target = os.readlink(f"/proc/{self.pid}/fd/{descriptor}")
            except FileNotFoundError:  # It was closed since it was listed.
                continue
            if not target.startswith("socket:"):
                counts["other descriptors"] += 1
            elif remote_ports.get(target[len("socket:[") : -1]) in stores:
                counts["store connections"] += 1
            else:
                counts["client sockets"] += 1
        return counts

    async def _tasks(self) -> int:
        self.tasks_file.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        await until(self.tasks_file.exists)
        return int(self.tasks_file.read_text())

    async def _registered(self) -> int:
        """Return how many sockets are in the registries of users."""
        assert self.settings.redis_url is not None
        async with redis.asyncio.Redis.from_url(self.settings.redis_url, socket_timeout=TIMEOUT) as client:
            keys = [key async for key in client.scan_iter(match=f"{self.settings.redis_prefix}:sockets:*")]
            return sum([await client.zcard(key) for key in keys])


def _remote_ports(pid: int) -> dict[str, int]:
    """Return the remote port of each TCP socket on the machine, by its inode."""
    ports = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            ports[fields[9]] = int(fields[2].rpartition(":")[2], 16)
    return ports


def excess(held: dict[str, int], base: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Return what there is more of than before, beyond what pools may grow by: the number before and now."""
    return {name: (base[name], now) for name, now in held.items() if now > base[name] + POOLED.get(name, 0)}


@asynccontextmanager
async def soaked_server(settings: Settings, folder: Path) -> AsyncIterator[SoakedServer]:
    """Run a server on the stores of `settings`."""
    tasks_file = folder / "tasks"
    environment = os.environ | {
        "DATABASE_URL": str(settings.database_url),
        "REDIS_URL": str(settings.redis_url),
        "REDIS_PREFIX": settings.redis_prefix,
        "RATE_LIMIT_ENABLED": "false",
        "DB_POOL_MIN": "2",
        "DB_POOL_MAX": "5",
        "WS_INIT_TIMEOUT": "2",
        "WS_HEARTBEAT_INTERVAL": "5",
        "WS_HEARTBEAT_TIMEOUT": "3",
        "TASKS_FILE": str(tasks_file),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.soak.instance", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(2 * TIMEOUT):
            url = (await process.stdout.readline()).decode().strip()
        async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT) as http:
            yield SoakedServer(url, settings, process.pid, http, tasks_file)
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), TIMEOUT)
