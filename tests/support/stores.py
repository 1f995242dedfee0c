"""Real stores for the tests: a new database for each test, and servers that a test may stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from app.embedded.paths import base_folder, make_private
from app.embedded.servers import Server
from app.models.migrate import upgrade
from tests.support.wait_until import until_answer

MIN_MEMORY = 8 * 2**30
"""Bytes that must be free for the stores of the tests to be kept in memory."""


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Create a temporary folder that servers which root starts as another user can enter.

    It is in memory where there is enough: the tests create two thousand databases of 500 files each.
    """
    folder = make_private(_temporary_folder() / f"leaderboard-tests-{secrets.token_hex(6)}")
    try:
        yield folder
    finally:
        if base_folder(folder) != folder:
            shutil.rmtree(base_folder(folder), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_folder() -> Path:
    in_memory = Path("/dev/shm")
    if "TMPDIR" not in os.environ and in_memory.is_dir() and shutil.disk_usage(in_memory).free >= MIN_MEMORY:
        return in_memory
    return Path(tempfile.gettempdir())


COMMITTING = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'leaderboard' AND wait_event = 'SyncRep'
"""


@contextlib.asynccontextmanager
async def unanswered_commits(url: str) -> AsyncIterator[None]:
    """During the block, let commits wait for a standby that does not exist, and terminate the sessions that wait.

    Their transactions are on the disk, and nobody is told.
    """
    operator = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=20, command_timeout=30)
    await operator.execute("ALTER SYSTEM SET synchronous_standby_names = nobody")
    await operator.execute("SELECT pg_reload_conf()")
    terminating = asyncio.create_task(until_answer(lambda: operator.fetch(COMMITTING), lambda _: False))
    try:
        yield
    finally:
        terminating.cancel()
        await asyncio.wait([terminating])
        await operator.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await operator.execute("SELECT pg_reload_conf()")
        await operator.close(timeout=10)


class Databases:
    """Creates databases on one server, each a copy of one migrated template; names are unique to the run."""

    def __init__(self, server_url: str) -> None:
        self._server = make_url(server_url)
        self._prefix = f"test_{secrets.token_hex(6)}"
        self._count = 0

    async def prepare(self) -> None:
        """Create the template, once before the first `create`."""
        await self._execute(f'CREATE DATABASE "{self._prefix}"')
        await asyncio.to_thread(upgrade, self._url(self._prefix))

    async def create(self) -> str:
        """Create a database and return its URL."""
        self._count += 1
        name = f"{self._prefix}_{self._count}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._prefix}" STRATEGY FILE_COPY')
        return self._url(name)

    async def drop(self, url: str) -> None:
        """Drop a database of `create`, even if clients are still connected."""
        await self._execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    async def close(self) -> None:
        """Drop the template."""
        await self.drop(self._url(self._prefix))

    def _url(self, database: str) -> str:
        return self._server.set(database=database).render_as_string(hide_password=False)

    async def _execute(self, statement: str) -> None:
        dsn = self._server.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
        try:
            await connection.execute(statement)
        finally:
            await connection.close(timeout=10)


class BreakableServer:
    """A private server that a test may kill, freeze and restart on the same port.

    `url` is the URL of its new database. After `kill`, PostgreSQL still has its data, and Redis is empty.
    """

    def __init__(self, server: Server, url: str) -> None:
        self.url = url
        self._server = server

    def kill(self) -> None:
        """Kill all of its processes at once, as a crash of the machine does."""
        self._signal(signal.SIGKILL)
        if self._server.process is not None:
            self._server.process.wait(10)

    def freeze(self) -> None:
        """Stop all of its processes, so that it does not respond while its connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue all of its processes after `freeze`."""
        self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def frozen(self, pid: int) -> Iterator[None]:
        """Stop one process of this server, such as a session of PostgreSQL, during the block."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def start(self) -> None:
        """Start it on the same port, or continue it, if it is not running."""
        self.thaw()
        if not self._server.is_running:
            await asyncio.to_thread(self._server.start, self._server.port)

    async def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        await self.start()

    def _signal(self, number: signal.Signals) -> None:
        process = self._server.process
        if process is None or process.poll() is not None:
            return
        for pid in (process.pid, *_children(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
