"""docker/postgres/replica.sh: it heals by itself after an interrupted copy, and after it has lost its slot."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.embedded.os_user import OsUser
from app.embedded.paths import postgres_programs
from app.embedded.postgres import PostgresServer
from app.embedded.process import free_port, spawn, stop
from app.embedded.servers import make_server
from tests.support.processes.postgres_standby import execute
from tests.support.stores import private_folder
from tests.support.wait_until import until_answer

SCRIPT = Path(__file__).parents[3] / "docker" / "postgres" / "replica.sh"


class Replica:
    """The script, with a folder of its own and the primary of the test."""

    def __init__(self, folder: Path, primary: PostgresServer) -> None:
        self.data = folder / "data" / "pgdata"
        self.port = free_port()
        self.log = folder / "replica.log"
        self._user = OsUser.for_cluster(folder / "none")
        self._folder = folder
        self._primary = make_url(primary.url)
        (folder / "data").mkdir(mode=0o700)
        self._user.take_ownership(folder / "data")
        shutil.copy(SCRIPT, folder / "replica.sh")
        (folder / "replica.sh").chmod(0o755)
        self._programs = postgres_programs(folder, self._user)

    @property
    def url(self) -> str:
        """The URL of the replica."""
        return self._primary.set(port=self.port).render_as_string(hide_password=False)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the script during the block."""
        variables = {
            "PATH": f"{self._programs}:{os.defpath}",
            "PGDATA": self.data,
            "PGPASSWORD": "replicator",
            "PRIMARY_HOST": "127.0.0.1",
            "PRIMARY_PORT": self._primary.port,
        }
        process = spawn(
            [
                "env",
                *(f"{name}={value}" for name, value in variables.items()),
                "sh",
                self._folder / "replica.sh",
                "-c",
                f"port={self.port}",
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ],
            self._user,
            self.log,
        )  # fmt: skip
        try:
            yield process
        finally:
            stop(process, signal.SIGINT, signal.SIGQUIT)

    async def has_caught_up(self) -> None:
        """Wait until it shows what the primary has just got."""
        primary = self._primary.render_as_string(hide_password=False)
        number = await execute(primary, "INSERT INTO numbers DEFAULT VALUES RETURNING number")
        await until_answer(lambda: self._numbers(), lambda found: found == number, timeout=90)

    async def _numbers(self) -> object:
        try:
            return await execute(self.url, "SELECT max(number) FROM numbers")
        except (OSError, Exception) as error:  # Not there yet.
            return repr(error)


@pytest.fixture
async def primary() -> AsyncIterator[PostgresServer]:
    with private_folder() as folder:
        server = make_server(folder, "postgres")
        assert isinstance(server, PostgresServer)
        await asyncio.to_thread(server.start)
        for statement in (
            "CREATE ROLE replicator LOGIN REPLICATION PASSWORD 'replicator'",
            "CREATE TABLE numbers (number bigserial)",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'",
            "SELECT pg_reload_conf()",
        ):
            await execute(server.url, statement)
        yield server
        await asyncio.to_thread(server.stop)


@pytest.fixture
def replica(primary: PostgresServer) -> Iterator[Replica]:
    with private_folder() as folder:
        yield Replica(folder, primary)


async def test_a_copy_that_was_interrupted_is_made_again(replica: Replica):
    with replica.running() as process:
        await until_answer(lambda: asyncio.sleep(0, replica.data.with_name("pgdata.copy").exists()), bool)
        os.killpg(process.pid, signal.SIGKILL)  # With the copying program, as when a container is killed.
        process.wait(10)
    assert not replica.data.exists()
    with replica.running():
        await replica.has_caught_up()
    with replica.running():  # Later starts resume.
        await replica.has_caught_up()


async def test_a_replica_whose_slot_is_lost_is_copied_anew(replica: Replica, primary: PostgresServer):
    with replica.running():
        await replica.has_caught_up()
    for _ in range(6):  # Each takes the position to a new file of 16 MiB.
        await execute(primary.url, "SELECT txid_current()")
        await execute(primary.url, "SELECT pg_switch_wal()")
    await execute(primary.url, "CHECKPOINT")
    status = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'replica'"
    assert await execute(primary.url, status) == "lost"
    with replica.running():
        await replica.has_caught_up()
        assert await execute(primary.url, status) == "reserved"
