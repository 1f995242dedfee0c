"""Run a cluster of two PostgreSQL servers under Patroni, with an etcd, on the private binaries of PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.embedded.os_user import OsUser
from app.embedded.paths import postgres_programs
from app.embedded.process import free_port, spawn, stop
from tests.support.stores import private_folder
from tests.support.wait_until import until_answer

PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
PATRONI, ETCD = (shutil.which(name, path=PATH) for name in ("patroni", "etcd"))
needs_patroni = pytest.mark.skipif(
    not (PATRONI and ETCD),
    reason="patroni and etcd are not installed: apt-get install patroni etcd-server, or `make test-deps` as root",
)
USER, PASSWORD = "leaderboard", "secret"


class Node:
    """One server, and the Patroni that runs it."""

    def __init__(self, name: str, folder: Path, user: OsUser, etcd_port: int) -> None:
        self.name = name
        self.port, self._api_port = free_port(), free_port()
        self._folder = folder / name
        self._user = user
        self._log = folder / f"{name}.log"
        self._folder.mkdir(mode=0o700)
        user.take_ownership(self._folder)
        self._file = folder / f"{name}.json"  # Which is YAML, too.
        self._file.write_text(json.dumps(self._settings(postgres_programs(folder, user), etcd_port)))
        user.take_ownership(self._file)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start Patroni, which creates or copies the cluster and starts PostgreSQL."""
        assert PATRONI is not None
        self._process = spawn([PATRONI, self._file], self._user, self._log)

    def kill(self) -> None:
        """Kill Patroni and PostgreSQL, as when the machine is lost."""
        if self._process is None or self._process.poll() is not None:
            return
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._process.kill()
        self._process.wait(10)
        pid_file = self._folder / "data" / "postmaster.pid"
        main = [pid_file.read_text().split()[0]] if pid_file.exists() else []
        for pid in {*children, *main}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def stop(self) -> None:
        """Stop everything."""
        self.kill()

    def role(self) -> str:
        """What Patroni says this node is, "" if it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._api_port}/patroni", timeout=5) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            found = json.load(error)
        except (OSError, ValueError):
            return ""
        return f"{found.get('role')} {found.get('state')}{' sync' if found.get('sync_standby') else ''}"

    def log(self) -> str:
        """The end of the log of Patroni."""
        return self._log.read_text()[-3000:]

    def _settings(self, programs: Path, etcd_port: int) -> dict[str, object]:
        return {
            "scope": "test",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self._api_port}", "connect_address": f"127.0.0.1:{self._api_port}"},
            "etcd3": {"host": f"127.0.0.1:{etcd_port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": 20,
                    "loop_wait": 1,
                    "retry_timeout": 3,
                    "synchronous_mode": True,
                    "postgresql": {"parameters": {"max_connections": 100, "wal_init_zero": "off"}},
                },
                "initdb": [{"encoding": "UTF8"}, {"auth": "scram-sha-256"}, {"locale": "C"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self._folder / "data"),
                "bin_dir": str(programs),
                "pgpass": str(self._folder / "pgpass"),
                "parameters": {"unix_socket_directories": ""},
                "pg_hba": [
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                ],
                "authentication": {
                    "superuser": {"username": USER, "password": PASSWORD},
                    "replication": {"username": "replicator", "password": PASSWORD},
                },
            },
        }


class PatroniCluster:
    """Two nodes, one of which is the leader and the other a synchronous standby."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        """The URL of both nodes: that of the leader is used."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://{USER}:{PASSWORD}@{hosts}/postgres"

    @property
    def leader(self) -> Node | None:
        """The node that is the leader now."""
        return next((node for node in self.nodes if node.role().startswith("master running")), None)

    async def is_ready(self) -> bool:
        """Whether there is a leader with a synchronous standby."""
        roles = await asyncio.gather(*[asyncio.to_thread(node.role) for node in self.nodes])
        return any(role.startswith("master running") for role in roles) and any(role.endswith("sync") for role in roles)


@contextlib.asynccontextmanager
async def patroni_cluster() -> AsyncIterator[PatroniCluster]:
    """Run a cluster during the block."""
    assert ETCD is not None
    with private_folder() as folder:
        user = OsUser.for_cluster(folder / "none")
        client, peer = free_port(), free_port()
        data = folder / "etcd"
        data.mkdir(mode=0o700)
        user.take_ownership(data)
        address = f"http://127.0.0.1:{client}"
        etcd = spawn(
            [
                ETCD, f"--data-dir={data}", f"--listen-client-urls={address}", f"--advertise-client-urls={address}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-cluster=default=http://127.0.0.1:{peer}", "--unsafe-no-fsync",
            ],
            user, folder / "etcd.log",
        )  # fmt: skip
        cluster = PatroniCluster([Node(name, folder, user, client) for name in ("one", "two")])
        try:
            for node in cluster.nodes:
                node.start()
            try:
                await until_answer(cluster.is_ready, bool, timeout=120, interval=0.5)
            except TimeoutError:
                raise AssertionError("\n".join(node.log() for node in cluster.nodes)) from None
            yield cluster
        finally:
            for node in cluster.nodes:
                node.stop()
            stop(etcd, signal.SIGTERM, signal.SIGKILL)
