"""A private PostgreSQL server: one cluster, on the loopback interface only, with a password and durable commits."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from app.embedded.errors import EmbeddedError
from app.embedded.os_user import OsUser
from app.embedded.paths import write_private
from app.embedded.process import free_port, spawn, wait_until
from app.embedded.process import stop as stop_process

_ROLE = "leaderboard"
_START_TIMEOUT = 60  # seconds; includes a crash recovery
_MAX_START_ATTEMPTS = 5
# Temporary causes: another program has bound the port meanwhile; the last backend of a killed server still runs.
_TEMPORARY_FAILURES = ("Address already in use", "pre-existing shared memory block")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # the path of a socket must not exceed 107 bytes, and that of a project may
    "fsync": "on",
    "synchronous_commit": "on",
    # Otherwise commits wait while a new WAL segment is filled with zeros: 50 ms, once a second under load.
    "wal_init_zero": "off",
    "max_connections": "200",
    "timezone": "UTC",
    "jit": "off",
    "log_checkpoints": "off",
}
_UNUSED_PID = 2**30  # above the maximum of every kernel


class PostgresServer:
    """The server of one cluster. It may be started again after it has ended, for whatever reason.

    The caller must ensure that only one object at a time uses a cluster.
    """

    def __init__(self, programs: Path, cluster: Path, os_user: OsUser, log: Path, password: str) -> None:
        self.port: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._programs = programs
        self._cluster = cluster
        self._os_user = os_user
        self._log = log
        self._password = password

    @property
    def url(self) -> str:
        """Its URL, including the password; valid once the server has been started."""
        return f"postgresql+asyncpg://{_ROLE}:{self._password}@127.0.0.1:{self.port}/{_ROLE}"

    @property
    def is_running(self) -> bool:
        """Whether its main process is running."""
        return self.process is not None and self.process.poll() is None

    def start(self, port: int | None = None) -> None:
        """Start on `port`, or on a free port, and return when the server accepts connections.

        Raises:
            EmbeddedError: The server does not start; the text contains the reason from its log.
        """
        if not self._cluster.exists():
            self._create_cluster()
        self._stop_orphan()
        for _ in range(1 if port else _MAX_START_ATTEMPTS):
            self.port = port or free_port()
            if self._try_start(self.port):
                return
            reason = self._failure_reason()
            if not any(failure in self._log.read_text(errors="replace") for failure in _TEMPORARY_FAILURES):
                break
        raise EmbeddedError(
            f"PostgreSQL does not start from {self._cluster}: {reason} (log: {self._log}; "
            f"to start over without the data, remove {self._cluster})"
        )

    def stop(self) -> None:
        """Stop the server: disconnect all clients, write a checkpoint, end."""
        if self.process is not None:
            stop_process(self.process, signal.SIGINT, signal.SIGQUIT)

    def _try_start(self, port: int) -> bool:
        settings = [f"--{name}={value}" for name, value in (_SETTINGS | {"port": str(port)}).items()]
        self.process = process = spawn(
            [self._programs / "postgres", "-D", self._cluster, *settings],
            self._os_user,
            self._log,
            parent_death_signal=signal.SIGINT,
        )
        wait_until(lambda: process.poll() is not None or self._is_ready(process.pid), _START_TIMEOUT)
        if self._is_ready(process.pid) and process.poll() is None:
            return True
        self.stop()
        return False

    def _is_ready(self, pid: int) -> bool:
        lines = self._read_pid_file()
        return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].startswith("ready")

    def _read_pid_file(self) -> list[str]:
        with contextlib.suppress(OSError):
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        return []

    def _failure_reason(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
        return (errors or lines or ["its log is empty"])[-1].strip()

    def _create_cluster(self) -> None:
        """Create the cluster and its database atomically: an interrupted creation leaves no cluster."""
        draft = self._cluster.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self._cluster.with_name("password.initdb")
        write_private(password_file, self._password)
        for path in (draft, password_file):
            self._os_user.take_ownership(path)
        try:
            self._run(
                "initdb", "-D", draft, "-U", _ROLE, f"--pwfile={password_file}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            )  # fmt: skip
            self._run("postgres", "--single", "-D", draft, "postgres", text=f"CREATE DATABASE {_ROLE};\n")
        finally:
            password_file.unlink()
        draft.rename(self._cluster)

    def _run(self, program: str, *arguments: str | Path, text: str = "") -> None:
        process = spawn([self._programs / program, *arguments], self._os_user, self._log, text=text)
        try:
            failed = process.wait(_START_TIMEOUT) != 0
        except subprocess.TimeoutExpired:
            failed = True
        finally:
            stop_process(process, signal.SIGTERM, signal.SIGQUIT)
        if failed:
            raise EmbeddedError(f"PostgreSQL's {program} failed: {self._failure_reason()} (log: {self._log})")

    def _stop_orphan(self) -> None:
        """Stop a server whose daemon was killed, and invalidate a lock file whose process has ended."""
        lines = self._read_pid_file()
        if not lines or not lines[0].strip().isdigit():
            return
        pid = int(lines[0])
        for number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if not self._is_server(pid):
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            wait_until(lambda: not self._is_server(pid), seconds)
        if self._read_pid_file()[:1] == lines[:1]:
            # PostgreSQL takes any process with this id for the previous server, and ids are reused, in containers
            # immediately. The rest of the file stays: the server finds backends that are still running by it.
            lock = self._cluster / "postmaster.pid"
            lock.write_text("\n".join([str(_UNUSED_PID), *lines[1:]]) + "\n")

    def _is_server(self, pid: int) -> bool:
        """Return whether process `pid` is a running server of this cluster."""
        if Path("/proc/self/cwd").exists():
            with contextlib.suppress(OSError):
                return Path(f"/proc/{pid}/cwd").readlink() == self._cluster
            return False
        listed = subprocess.run(
            ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, timeout=10, check=False
        )
        return str(self._cluster) in listed.stdout
