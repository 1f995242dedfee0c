"""Two instances of the service, with a PostgreSQL and a Redis of their own, and a proxy for each pair of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx2
import redis.asyncio
from sqlalchemy import make_url

from app.config import Settings
from app.embedded.process import free_port
from app.embedded.servers import make_server
from tests.nemesis.proxy import Proxy
from tests.support.processes.cli_process import PASSED_ON, environment, run
from tests.support.service import settings_for
from tests.support.stores import BreakableServer, Databases, private_folder

STORES = ("postgres", "redis")
BOARDS = ("ALL_TIME", "DAILY")
"""The boards of the category `global` that are watched and compared."""

TRUE_BOARD = """
    SELECT CAST(u.id AS text), u.username, s.score FROM scores s JOIN users u ON u.id = s.user_id
    WHERE s.category_id = 'global' AND s.period = $1 AND NOT s.hidden
    AND s.window_start = (SELECT max(window_start) FROM scores WHERE category_id = 'global' AND period = $1)
    ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT 100
"""
TRANSACTIONS = """
    SELECT CAST(id AS text), CAST(user_id AS text) AS "user", seq, category_id AS category, kind, delta, score,
           encode(token_hash, 'hex') AS token, regexp_replace(request_key, '^[a-z]+:[0-9a-f-]{36}:', '') AS key
    FROM score_transactions ORDER BY user_id, seq
"""
SCORES = """
    SELECT CAST(user_id AS text) AS "user", category_id AS category, score FROM scores WHERE period = 'ALL_TIME'
"""


class Instance:
    """One process of the service, whose port stays the same when it is started again."""

    def __init__(self, number: int, folder: Path, variables: Mapping[str, str]) -> None:
        self.number = number
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"instance-{number}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.wrong_exits: list[int] = []
        """Exit codes after SIGTERM other than 0."""
        self._clock_file = folder / f"clock-{number}"
        self._clock_file.write_text("0")
        self._environment = {
            **{name: value for name, value in os.environ.items() if name in PASSED_ON},
            **variables,
            "PORT": str(self.port),
            "CLOCK_FILE": str(self._clock_file),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process, if it does not run."""
        if self.is_running:
            return
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.nemesis.instance"],
                env=self._environment,
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        if self.process is not None and self.is_running:
            self.process.send_signal(number)

    async def kill(self) -> None:
        """Kill the process."""
        self.signal(signal.SIGKILL)
        await self._ended(30)

    async def terminate(self) -> None:
        """Ask the process to end, and kill it if it does not within 20 seconds."""
        if not self.is_running:
            return
        assert self.process is not None
        self.signal(signal.SIGTERM)
        if not await self._ended(20):
            await self.kill()
        if self.process.returncode != 0:
            self.wrong_exits.append(self.process.returncode)

    def set_clock(self, offset: float) -> None:
        """Make its wall clock wrong by so many seconds."""
        self._clock_file.write_text(str(offset))
        self.signal(signal.SIGUSR1)

    async def ready(self, timeout: float = 60) -> None:
        """Return when it answers. Start it again if it has ended, as the supervisor of a machine does.

        Raises:
            TimeoutError: It does not answer in time.
        """
        async with asyncio.timeout(timeout), httpx2.AsyncClient(base_url=self.url, timeout=5) as http:
            while True:
                self.start()
                try:
                    if (await http.get("/livez")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.1)

    async def _ended(self, timeout: float) -> bool:
        assert self.process is not None
        for _ in range(int(timeout * 20)):
            if self.process.poll() is not None:
                return True
            await asyncio.sleep(0.05)
        return False


class Installation:
    """The processes and stores of a run."""

    def __init__(
        self,
        settings: Settings,
        servers: Mapping[str, BreakableServer],
        proxies: Mapping[tuple[int, str], Proxy],
        instances: list[Instance],
    ) -> None:
        self.settings = settings
        self.postgres = servers["postgres"]
        self.redis = servers["redis"]
        self.proxies = proxies
        self.instances = instances

    def proxies_of(self, store: str) -> list[Proxy]:
        """Return the proxies of all instances to a store."""
        return [proxy for (_, name), proxy in self.proxies.items() if name == store]

    @asynccontextmanager
    async def postgres_session(self, database: str | None = None) -> AsyncIterator[asyncpg.Connection]:
        """Open a session of an operator, which is not subject to the faults of the network."""
        url = make_url(self.postgres.url).set(drivername="postgresql")
        dsn = (url.set(database=database) if database else url).render_as_string(hide_password=False)
        session = await asyncpg.connect(dsn, timeout=20, command_timeout=30)
        try:
            yield session
        finally:
            await session.close(timeout=10)

    @asynccontextmanager
    async def redis_session(self) -> AsyncIterator[redis.asyncio.Redis]:
        """Open a client of an operator, which is not subject to the faults of the network."""
        async with redis.asyncio.Redis.from_url(self.redis.url, socket_timeout=20) as client:
            yield client

    async def true_board(self, period: str) -> list[list[Any]]:
        """Return the first hundred entries of a board by PostgreSQL: user id, name and score."""
        async with self.postgres_session() as session:
            return [list(row) for row in await session.fetch(TRUE_BOARD, period)]

    async def truth(self) -> dict[str, list[dict[str, Any]]]:
        """Return all transactions and all-time scores."""
        async with self.postgres_session() as session:
            return {
                "transactions": [dict(row) for row in await session.fetch(TRANSACTIONS)],
                "scores": [dict(row) for row in await session.fetch(SCORES)],
            }

    async def verify(self) -> tuple[int, str]:
        """Run `leaderboard verify`, and return its exit code and output."""
        result = await run("verify", env=environment(self.settings), timeout=120)
        return result.code, result.out + result.err

    def log_size(self) -> list[int]:
        """Return how long the logs are."""
        return [instance.log.stat().st_size for instance in self.instances]


@asynccontextmanager
async def installed(folder: Path, random: Random, **variables: str) -> AsyncIterator[Installation]:
    """Run an installation with two instances; logs are written to `folder`."""
    with private_folder() as data:
        servers = {name: make_server(data, name) for name in STORES}
        breakable: dict[str, BreakableServer] = {}
        try:
            for name, server in servers.items():
                await asyncio.to_thread(server.start)
                breakable[name] = BreakableServer(server, server.url)
            databases = Databases(servers["postgres"].url)
            await databases.prepare()
            breakable["postgres"].url = await databases.create()
            settings = settings_for(breakable["postgres"].url, breakable["redis"].url)
            async with AsyncExitStack() as stack:
                proxies: dict[tuple[int, str], Proxy] = {}
                for number in (0, 1):
                    for name, server in servers.items():
                        assert server.port is not None
                        proxy = await stack.enter_async_context(Proxy(server.port, random))
                        proxies[number, name] = proxy
                instances = [
                    Instance(number, folder, _environment(settings, proxies, number) | variables) for number in (0, 1)
                ]
                try:
                    for instance in instances:
                        instance.start()
                    for instance in instances:
                        await instance.ready()
                    yield Installation(settings, breakable, proxies, instances)
                finally:
                    for instance in instances:
                        if instance.is_running:
                            instance.signal(signal.SIGCONT)
                            await instance.kill()
        finally:
            for name, server in servers.items():
                if name in breakable:
                    breakable[name].thaw()
                    breakable[name].kill()
                else:
                    server.stop()


def _environment(settings: Settings, proxies: Mapping[tuple[int, str], Proxy], number: int) -> dict[str, str]:
    return {
        "DATABASE_URL": _through(settings.database_url, proxies[number, "postgres"]),
        "REDIS_URL": _through(settings.redis_url, proxies[number, "redis"]),
        "REDIS_PREFIX": settings.redis_prefix,
        "DB_POOL_MIN": "2",
        "DB_POOL_MAX": "15",
        "DB_TIMEOUT": "2",
        "REDIS_TIMEOUT": "0.5",
        "MAX_OPEN_TOKENS": "1000",
        "FRAUD_ENABLED": "false",
        "RATE_LIMIT_ENABLED": "false",
        "LOG_LEVEL": "INFO",
    }


def _through(url: str | None, proxy: Proxy) -> str:
    assert url is not None
    return make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
