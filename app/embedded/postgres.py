"""A private PostgreSQL server: one cluster, the loopback only, a password always, durable settings on."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from app.embedded import process as child
from app.embedded.errors import EmbeddedError
from app.embedded.os_user import OsUser
from app.embedded.paths import write_private

_NAME = "leaderboard"
_START_SECONDS = 60  # a crash recovery may take its time
_ATTEMPTS = 5
# Reasons that pass: somebody took the port in between; the last backend of a killed server is still leaving.
_PASSING = ("Address already in use", "pre-existing shared memory block")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # paths of sockets are limited to 107 bytes, paths of projects are not
    "fsync": "on",
    "synchronous_commit": "on",
    # Every commit would wait while a new segment of the log is filled with zeros: 50 ms, once a second under load.
    "wal_init_zero": "off",
    "max_connections": "200",
    "timezone": "UTC",
    "jit": "off",
    "log_checkpoints": "off",
}
_NOBODYS_PID = 2**30  # beyond every kernel's limit


class PostgresServer:
    """Start and stop one cluster. `start` may be called again after the server ended, however it ended.

    No two of these may work on one cluster at the same time; the caller sees to that.
    """

    def __init__(self, programs: Path, cluster: Path, os_user: OsUser, log: Path, password: str) -> None:
        self.port: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._programs = programs
        self._cluster = cluster
        self._account = os_user
        self._log = log
        self._password = password

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://{_NAME}:{self._password}@127.0.0.1:{self.port}/{_NAME}"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, port: int | None = None) -> None:
        """Serve on `port`, else on a free one; returns when connections are accepted.

        Raises EmbeddedError with the server's own reason when it does not come up.
        """
        if not self._cluster.exists():
            self._create()
        self._end_orphan()
        for _ in range(1 if port else _ATTEMPTS):
            self.port = port or child.free_port()
            if self._serve(self.port):
                return
            reason = self._reason()
            if not any(passing in self._log.read_text(errors="replace") for passing in _PASSING):
                break
        raise EmbeddedError(
            f"PostgreSQL does not start from {self._cluster}: {reason} (log: {self._log}; "
            f"to start over without the data, remove {self._cluster})"
        )

    def stop(self) -> None:
        """Disconnect everybody, write a checkpoint, end."""
        if self.process is not None:
            child.stop(self.process, signal.SIGINT, signal.SIGQUIT)

    def _serve(self, port: int) -> bool:
        settings = [f"--{name}={value}" for name, value in (_SETTINGS | {"port": str(port)}).items()]
        self.process = process = child.spawn(
            [self._programs / "postgres", "-D", self._cluster, *settings],
            self._account,
            self._log,
            dying=signal.SIGINT,
        )
        child.wait_until(lambda: process.poll() is not None or self._ready(process.pid), _START_SECONDS)
        if self._ready(process.pid) and process.poll() is None:
            return True
        self.stop()
        return False

    def _ready(self, pid: int) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].startswith("ready")

    def _pid_file(self) -> list[str]:
        with contextlib.suppress(OSError):
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        return []

    def _reason(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
        return (fatal or lines or ["it says nothing"])[-1].strip()

    def _create(self) -> None:
        """Make the cluster and its database; a creation that is cut short leaves no cluster at all."""
        draft = self._cluster.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        secret = self._cluster.with_name("password.initdb")
        write_private(secret, self._password)
        for path in (draft, secret):
            self._account.give(path)
        try:
            self._run(
                "initdb", "-D", draft, "-U", _NAME, f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8",
                "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            )  # fmt: skip
            self._run("postgres", "--single", "-D", draft, "postgres", text=f"CREATE DATABASE {_NAME};\n")
        finally:
            secret.unlink()
        draft.rename(self._cluster)

    def _run(self, program: str, *arguments: str | Path, text: str = "") -> None:
        process = child.spawn([self._programs / program, *arguments], self._account, self._log, text=text)
        try:
            failed = process.wait(_START_SECONDS) != 0
        except subprocess.TimeoutExpired:
            failed = True
        finally:
            child.stop(process, signal.SIGTERM, signal.SIGQUIT)
        if failed:
            raise EmbeddedError(f"PostgreSQL's {program} failed: {self._reason()} (log: {self._log})")

    def _end_orphan(self) -> None:
        """End the server whose keeper was killed, and see through a lock file whose owner is long gone."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdigit():
            return
        pid = int(lines[0])
        for number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if not self._is_ours(pid):
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            child.wait_until(lambda: not self._is_ours(pid), seconds)
        if self._pid_file()[:1] == lines[:1]:
            # PostgreSQL believes any living process of that number to be its predecessor, and numbers come back,
            # in containers at once. The rest of the file stays: by it the server finds backends that still live.
            lock = self._cluster / "postmaster.pid"
            lock.write_text("\n".join([str(_NOBODYS_PID), *lines[1:]]) + "\n")

    def _is_ours(self, pid: int) -> bool:
        """Whether process `pid` is a live server of this cluster."""
        if Path("/proc/self/cwd").exists():
            with contextlib.suppress(OSError):
                return Path(f"/proc/{pid}/cwd").readlink() == self._cluster
            return False
        listed = subprocess.run(
            ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, timeout=10, check=False
        )
        return str(self._cluster) in listed.stdout
