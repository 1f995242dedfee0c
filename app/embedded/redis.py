"""A private Redis server: the loopback only, a password always, nothing on disk."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from pathlib import Path

from app.embedded import process as child
from app.embedded.errors import EmbeddedError
from app.embedded.os_user import OsUser

_START_SECONDS = 20
_ATTEMPTS = 5
_TAKEN = "Address already in use"


class RedisServer:
    """Start and stop one server. Its content ends with it: Redis holds only a copy of what PostgreSQL knows."""

    def __init__(self, program: Path, os_user: OsUser, log: Path, password: str) -> None:
        self.port: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._program = program
        self._account = os_user
        self._log = log
        self._password = password

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, port: int | None = None) -> None:
        """Serve on `port`, else on a free one; returns when commands are answered.

        Raises EmbeddedError with the server's own reason when it does not come up.
        """
        for _ in range(1 if port else _ATTEMPTS):
            self.port = port or child.free_port()
            if self._serve(self.port):
                return
            if _TAKEN not in self._log.read_text(errors="replace"):
                break
        raise EmbeddedError(f"Redis ({self._program}) does not start: {self._reason()} (log: {self._log})")

    def stop(self) -> None:
        """End the server at once."""
        if self.process is not None:
            child.stop(self.process, signal.SIGTERM, signal.SIGTERM)

    def _serve(self, port: int) -> bool:
        # The configuration comes by standard input: arguments, and with them the password, are public on a machine.
        settings = f"""
            port {port}
            bind 127.0.0.1
            requirepass {self._password}
            save ""
            appendonly no
            daemonize no
        """
        self.process = process = child.spawn([self._program, "-"], self._account, self._log, text=settings)
        child.wait_until(lambda: process.poll() is not None or self._ready(port), _START_SECONDS)
        if process.poll() is None and self._ready(port):
            return True
        self.stop()
        return False

    def _reason(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        telling = [line for line in lines if "could not" in line.lower() or "fatal" in line.lower()]
        return (telling or lines or ["it says nothing"])[-1].strip()

    def _ready(self, port: int) -> bool:
        """Whether the server on `port` answers, and is the one that knows our password."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
            connection.makefile("rwb") as stream,
        ):
            stream.write(f"AUTH {self._password}\r\n".encode())
            stream.flush()
            return stream.readline() == b"+OK\r\n"
        return False
