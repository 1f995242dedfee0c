"""A private Redis server: on the loopback interface only, always with a password, without persistence."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from pathlib import Path

from app.embedded.errors import EmbeddedError
from app.embedded.os_user import OsUser
from app.embedded.process import free_port, spawn, wait_until
from app.embedded.process import stop as stop_process

_START_TIMEOUT = 20
_MAX_START_ATTEMPTS = 5
_PORT_IN_USE = "Address already in use"


class RedisServer:
    """One Redis server. Its data is lost when it stops; all of it is derived from PostgreSQL."""

    def __init__(self, program: Path, os_user: OsUser, log: Path, password: str) -> None:
        self.port: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._program = program
        self._os_user = os_user
        self._log = log
        self._password = password

    @property
    def url(self) -> str:
        """Its URL, including the password; valid once the server has been started."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def is_running(self) -> bool:
        """Whether its main process is running."""
        return self.process is not None and self.process.poll() is None

    def start(self, port: int | None = None) -> None:
        """Start on `port`, or on a free port, and return when the server answers commands.

        Raises:
            EmbeddedError: The server does not start; the text contains the reason from its log.
        """
        for _ in range(1 if port else _MAX_START_ATTEMPTS):
            self.port = port or free_port()
            if self._try_start(self.port):
                return
            if _PORT_IN_USE not in self._log.read_text(errors="replace"):
                break
        raise EmbeddedError(f"Redis ({self._program}) does not start: {self._failure_reason()} (log: {self._log})")

    def stop(self) -> None:
        """Stop the server."""
        if self.process is not None:
            stop_process(self.process, signal.SIGTERM, signal.SIGTERM)

    def _try_start(self, port: int) -> bool:
        # The configuration is passed by standard input, because all users can read the arguments of a process.
        settings = f"""
            port {port}
            bind 127.0.0.1
            requirepass {self._password}
            save ""
            appendonly no
            daemonize no
        """
        self.process = process = spawn([self._program, "-"], self._os_user, self._log, text=settings)
        wait_until(lambda: process.poll() is not None or self._is_ready(port), _START_TIMEOUT)
        if process.poll() is None and self._is_ready(port):
            return True
        self.stop()
        return False

    def _failure_reason(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "could not" in line.lower() or "fatal" in line.lower()]
        return (errors or lines or ["its log is empty"])[-1].strip()

    def _is_ready(self, port: int) -> bool:
        """Return whether a server on `port` answers and accepts the password, so that it is this one."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
            connection.makefile("rwb") as stream,
        ):
            stream.write(f"AUTH {self._password}\r\n".encode())
            stream.flush()
            return stream.readline() == b"+OK\r\n"
        return False
