"""Open the stores of a program: given ones, or the private servers of a data folder."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import EmbeddedError
from app.embedded.locks import exclusive_lock, is_held
from app.embedded.paths import make_private

_START_TIMEOUT = 120  # seconds; the first start creates a cluster, and a start after a crash recovers it
_STOP_TIMEOUT = 40  # seconds


@dataclass(frozen=True)
class Stores:
    """The URLs of PostgreSQL (as SQLAlchemy expects it, with asyncpg) and Redis."""

    database_url: str
    redis_url: str


@contextmanager
def open_stores(data: Path, *, database_url: str | None = None, redis_url: str | None = None) -> Iterator[Stores]:
    """Open the stores of the data folder `data`, which is created if it is missing.

    A store whose URL is given is used as it is; any other is a private server. Private servers that are already
    running are shared. They run until the last program that opened them has closed them, and that program waits until
    they have stopped. If it is killed, they stop as well, and no acknowledged commit is lost.

    Raises:
        EmbeddedError: A private server is needed and cannot be started. The text is one line.
    """
    given = {"postgres": database_url, "redis": redis_url}
    missing = [name for name, url in given.items() if not url]
    if not missing:
        yield Stores(database_url or "", redis_url or "")
        return
    folder = make_private(data)
    with _private_servers(folder, missing) as urls:
        chosen = {name: url or urls[name] for name, url in given.items()}
        yield Stores(chosen["postgres"], chosen["redis"])


@contextmanager
def _private_servers(data: Path, names: list[str]) -> Iterator[dict[str, str]]:
    """Keep the servers `names` of `data` running during the block; yield the URL of each."""
    try:
        with exclusive_lock(data / "lock", _START_TIMEOUT + 10):
            connection = _connect(data, names) or _start_daemon(data, names)
    except OSError as error:
        raise EmbeddedError(f"the data folder {data} cannot be used: {error}") from error
    try:
        if "error" in connection.response:
            raise EmbeddedError(connection.response["error"])
        yield connection.response
    finally:
        connection.close()


@dataclass
class _DaemonConnection:
    """A connection to the daemon, with its response, and the daemon's process if this program started it."""

    socket: socket.socket
    response: dict[str, str]
    daemon: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """Release the servers; if no other program uses them, wait until they have stopped."""
        self.socket.settimeout(_STOP_TIMEOUT)
        with self.socket, suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            stopped = self.socket.recv(64) != b""
            while self.socket.recv(64):
                pass
            if self.daemon is not None and stopped:
                self.daemon.wait(_STOP_TIMEOUT)


def _connect(data: Path, names: list[str]) -> _DaemonConnection | None:
    """Connect to the running daemon of `data`; return None if there is none."""
    if not is_held(data / "daemon.lock"):
        return None  # `daemon.json`, if it exists, was left by a daemon that was killed
    try:
        address = json.loads((data / "daemon.json").read_text())
        client = socket.create_connection(("127.0.0.1", address["port"]), timeout=_START_TIMEOUT)
    except (OSError, ValueError, KeyError):
        return None
    response = _request(client, {"secret": address["secret"], "stores": names})
    if response is None:
        client.close()
        return None
    return _DaemonConnection(client, response)


def _start_daemon(data: Path, names: list[str]) -> _DaemonConnection:
    """Start a daemon in a new session, so that Ctrl-C in the terminal reaches this program and not the servers."""
    client, daemon_side = socket.socketpair()
    log = data / "daemon.log"
    log.touch(mode=0o600)
    with daemon_side, log.open("wb") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-P", "-m", "app.embedded.daemon", str(data)],
            stdin=daemon_side.fileno(),
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    client.settimeout(_START_TIMEOUT)
    try:
        response = _request(client, {"stores": names})
    except BaseException:  # a signal: no other program uses this daemon yet, and it would go on starting servers
        client.close()
        daemon.terminate()
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(_STOP_TIMEOUT)
        raise
    if response is None:
        client.close()
        raise EmbeddedError(f"the private servers of {data} ended while they started (log: {log})")
    return _DaemonConnection(client, response, daemon)


def _request(client: socket.socket, request: dict[str, object]) -> dict[str, str] | None:
    """Send a request to the daemon and return its response; None if there is no valid one."""
    try:
        client.sendall(json.dumps(request).encode() + b"\n")
        with client.makefile("rb") as stream:
            response = json.loads(stream.readline())
    except (OSError, ValueError):
        return None
    return response if isinstance(response, dict) else None
