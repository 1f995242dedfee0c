"""A primary PostgreSQL with a streaming standby, on the private binaries."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from app.embedded.os_user import OsUser
from app.embedded.paths import postgres_programs
from app.embedded.postgres import PostgresServer
from app.embedded.process import spawn, stop
from app.embedded.servers import make_server
from tests.support.stores import BreakableServer, Databases, private_folder
from tests.support.wait_until import until_answer

SLOT = "standby"


class Standby(BreakableServer):
    """A standby, which a test may pause and promote."""

    async def execute(self, statement: str) -> object:
        """Execute a statement on it, and return the value."""
        return await execute(self.url, statement)

    async def promote(self) -> None:
        """Make it a primary, and wait until it is one."""
        assert await self.execute("SELECT pg_promote(true, 60)")


class Pair:
    """A primary and its standby, with one migrated database."""

    def __init__(self, primary: BreakableServer, standby: Standby) -> None:
        self.primary = primary
        self.standby = standby

    @property
    def url(self) -> str:
        """The URL of both: whichever accepts writes is used."""
        first, second = make_url(self.primary.url), make_url(self.standby.url)
        return (
            f"postgresql://{first.username}:{first.password}@{first.host}:{first.port},{second.host}:{second.port}"
            f"/{first.database}"
        )

    async def wait_until_streaming(self) -> None:
        """Wait until the standby has what the primary has."""
        statement = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
        await until_answer(lambda: execute(self.primary.url, statement), bool)

    async def make_synchronous(self) -> None:
        """Let commits of the primary wait for the standby."""
        await execute(self.primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        await execute(self.primary.url, "SELECT pg_reload_conf()")
        statement = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        await until_answer(lambda: execute(self.primary.url, statement), bool)


@contextlib.asynccontextmanager
async def primary_and_standby() -> AsyncIterator[Pair]:
    """Run a primary and a standby of it during the block."""
    with private_folder() as first, private_folder() as second:
        server = make_server(first, "postgres")
        assert isinstance(server, PostgresServer)
        await asyncio.to_thread(server.start)
        primary = BreakableServer(server, server.url)
        standby: Standby | None = None
        try:
            await execute(server.url, f"SELECT pg_create_physical_replication_slot('{SLOT}')")
            replica = await asyncio.to_thread(_copy, server, second)
            await asyncio.to_thread(replica.start)
            standby = Standby(replica, replica.url)
            databases = Databases(server.url)
            await databases.prepare()
            primary.url = await databases.create()
            url = make_url(primary.url)
            standby.url = url.set(port=make_url(replica.url).port).render_as_string(hide_password=False)
            pair = Pair(primary, standby)
            await pair.wait_until_streaming()
            yield pair
        finally:
            primary.kill()
            if standby is not None:
                standby.kill()


def _copy(primary: PostgresServer, folder: Path) -> PostgresServer:
    """Copy the primary to `folder` as a standby that streams from it."""
    url = make_url(primary.url)
    user = OsUser.for_cluster(folder / "none")
    programs = postgres_programs(folder, user)
    (folder / "password").write_text(url.password or "")
    copy = folder / "postgres"
    copy.mkdir(mode=0o700)
    user.take_ownership(copy)
    address = f"host={url.host} port={url.port} user={url.username} password={url.password}"
    process = spawn(
        [
            programs / "pg_basebackup", f"--dbname={address}", f"--pgdata={copy}", "--wal-method=stream",
            f"--slot={SLOT}", "--write-recovery-conf", "--checkpoint=fast",
        ],
        user, folder / "copy.log",
    )  # fmt: skip
    try:
        assert process.wait(60) == 0, (folder / "copy.log").read_text()
    except subprocess.TimeoutExpired:
        stop(process, signal.SIGTERM, signal.SIGKILL)
        raise
    return PostgresServer(programs, copy, user, folder / "postgres.log", url.password or "")


async def execute(url: str, statement: str) -> object:
    """Execute a statement on a connection of its own, and return the value."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=70)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close(timeout=10)
