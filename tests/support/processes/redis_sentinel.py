"""A master with a replica, and three Sentinels that replace the master when it is down."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.embedded.os_user import OsUser
from app.embedded.paths import redis_program
from app.embedded.process import free_port, spawn
from tests.support.stores import private_folder
from tests.support.wait_until import until_answer

SERVICE = "boards"
"""The name under which the Sentinels know the master."""

PASSWORD = "a password of the tests"


class SentinelProcess:
    """A server or a Sentinel, with a configuration file that Sentinel may change."""

    def __init__(self, program: Path, os_user: OsUser, folder: Path, configuration: str, *, sentinel: bool) -> None:
        self.port = free_port()
        self._password = None if sentinel else PASSWORD
        folder.mkdir()
        os_user.take_ownership(folder)
        file = folder / "redis.conf"
        file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n{configuration}")
        os_user.take_ownership(file)
        arguments = ["--sentinel"] if sentinel else []
        self._process: subprocess.Popen[bytes] = spawn([program, file, *arguments], os_user, folder / "log")

    async def call(self, *command: Any) -> Any:
        """Execute one command."""
        async with Redis(port=self.port, password=self._password, socket_timeout=10, decode_responses=True) as client:
            return await client.execute_command(*command)

    async def is_answering(self) -> bool:
        """Whether it answers."""
        with suppress(RedisError, OSError):
            return bool(await self.call("PING"))
        return False

    def kill(self) -> None:
        """Kill the process."""
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait(10)


class SentinelServers:
    """A master, its replica and the Sentinels."""

    def __init__(self, program: Path, folder: Path, os_user: OsUser) -> None:
        self._program = program
        self._folder = folder
        self._os_user = os_user
        secrets = f'requirepass "{PASSWORD}"\nmasterauth "{PASSWORD}"\nsave ""\nrepl-diskless-sync-delay 0\n'
        self.master = self._process("master", secrets)
        self.replica = self._process("replica", f"{secrets}replicaof 127.0.0.1 {self.master.port}\n")
        self.sentinels: list[SentinelProcess] = []

    @property
    def url(self) -> str:
        """The URL that the service is given."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://:{PASSWORD.replace(' ', '%20')}@{hosts}/{SERVICE}/0"

    async def start(self) -> None:
        """Wait until the replica follows the master, then start the Sentinels, and wait until they know all."""
        await until_answer(self.master.is_answering, bool)
        await until_answer(self.replica.is_answering, bool)
        await until_answer(lambda: self.replica.call("ROLE"), lambda role: role[3] == "connected")
        for number in range(3):
            self.sentinels.append(
                self._process(
                    f"sentinel-{number}",
                    f"sentinel monitor {SERVICE} 127.0.0.1 {self.master.port} 2\n"
                    f'sentinel auth-pass {SERVICE} "{PASSWORD}"\n'
                    f"sentinel down-after-milliseconds {SERVICE} 1000\n"
                    f"sentinel failover-timeout {SERVICE} 5000\n",
                    sentinel=True,
                )
            )
        for sentinel in self.sentinels:
            await until_answer(sentinel.is_answering, bool)
            await until_answer(
                lambda sentinel=sentinel: sentinel.call("SENTINEL", "SENTINELS", SERVICE),
                lambda others: len(others) == 2,
            )
            await until_answer(
                lambda sentinel=sentinel: sentinel.call("SENTINEL", "REPLICAS", SERVICE), lambda found: len(found) == 1
            )

    async def until_promoted(self) -> None:
        """Wait until the replica is the master."""
        await until_answer(lambda: self.replica.call("ROLE"), lambda role: role[0] == "master")

    def stop(self) -> None:
        """Kill all processes."""
        for process in (self.master, self.replica, *self.sentinels):
            process.kill()

    def _process(self, name: str, configuration: str, *, sentinel: bool = False) -> SentinelProcess:
        return SentinelProcess(self._program, self._os_user, self._folder / name, configuration, sentinel=sentinel)


@asynccontextmanager
async def redis_sentinel() -> AsyncIterator[SentinelServers]:
    """Run a master, a replica and three Sentinels during the block."""
    with private_folder() as folder:
        os_user = OsUser.for_cluster(folder / "postgres")
        servers = SentinelServers(redis_program(folder, os_user), folder, os_user)
        try:
            await asyncio.wait_for(servers.start(), 60)
            yield servers
        finally:
            servers.stop()
