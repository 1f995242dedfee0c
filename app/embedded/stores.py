"""The stores a program works with: the private servers of a data folder, joined or started."""

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
from app.embedded.locks import exclusive, is_held
from app.embedded.paths import make_private

_ANSWER_SECONDS = 120  # the first start makes a cluster, and a start after a crash recovers it
_STOP_SECONDS = 40


@dataclass(frozen=True)
class Stores:
    """Where PostgreSQL (in the form of SQLAlchemy with asyncpg) and Redis are."""

    database_url: str
    redis_url: str


@contextmanager
def open_stores(data: Path, *, database_url: str | None = None, redis_url: str | None = None) -> Iterator[Stores]:
    """The stores of the data folder `data`, which is made when it is missing.

    A store whose URL is given is used as it is; the other is a private server. Servers of `data` that run already
    are joined; they run until the last program that opened them has left, and that program waits until they are
    down. It may be killed at any moment: the servers stop all the same, and acknowledged commits stay.

    Raises EmbeddedError, one line, when a private server is needed and cannot be had.
    """
    given = {"postgres": database_url, "redis": redis_url}
    need = [name for name, url in given.items() if not url]
    if not need:
        yield Stores(database_url or "", redis_url or "")
        return
    folder = make_private(data)
    with _attached(folder, need) as urls:
        found = {name: url or urls[name] for name, url in given.items()}
        yield Stores(found["postgres"], found["redis"])


@contextmanager
def _attached(data: Path, need: list[str]) -> Iterator[dict[str, str]]:
    """Use the servers `need` of `data`; yields the URL of each."""
    try:
        with exclusive(data / "lock", _ANSWER_SECONDS + 10):
            use = _join(data, need) or _start(data, need)
    except OSError as error:
        raise EmbeddedError(f"the data folder {data} cannot be used: {error}") from error
    try:
        if "error" in use.answer:
            raise EmbeddedError(use.answer["error"])
        yield use.answer
    finally:
        use.end()


@dataclass
class _Use:
    """One connection to a keeper, and the keeper where we are its parent."""

    connection: socket.socket
    answer: dict[str, str]
    daemon: subprocess.Popen[bytes] | None = None

    def end(self) -> None:
        """Give the servers back; when nobody else uses them, wait until they are down."""
        self.connection.settimeout(_STOP_SECONDS)
        with self.connection, suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            stopped = self.connection.recv(64) != b""
            while self.connection.recv(64):
                pass
            if self.daemon is not None and stopped:
                self.daemon.wait(_STOP_SECONDS)


def _join(data: Path, need: list[str]) -> _Use | None:
    """Ask the keeper that `data` names, if it is alive."""
    if not is_held(data / "keeper.lock"):
        return None  # what `daemon.json` says is left from one that was killed
    try:
        address = json.loads((data / "keeper.json").read_text())
        connection = socket.create_connection(("127.0.0.1", address["port"]), timeout=_ANSWER_SECONDS)
    except (OSError, ValueError, KeyError):
        return None
    answer = _ask(connection, {"secret": address["secret"], "need": need})
    if answer is None:
        connection.close()
        return None
    return _Use(connection, answer)


def _start(data: Path, need: list[str]) -> _Use:
    """Start a keeper, in a session of its own: a terminal's Ctrl-C must not reach the servers before the program."""
    connection, theirs = socket.socketpair()
    log = data / "keeper.log"
    log.touch(mode=0o600)
    with theirs, log.open("wb") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-P", "-m", "app.embedded.daemon", str(data)],
            stdin=theirs.fileno(),
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    connection.settimeout(_ANSWER_SECONDS)
    try:
        answer = _ask(connection, {"need": need})
    except BaseException:  # a signal; nobody else uses this keeper yet, and it would go on until all servers serve
        connection.close()
        daemon.terminate()
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(_STOP_SECONDS)
        raise
    if answer is None:
        connection.close()
        raise EmbeddedError(f"the private servers of {data} ended while they started (log: {log})")
    return _Use(connection, answer, daemon)


def _ask(connection: socket.socket, request: dict[str, object]) -> dict[str, str] | None:
    """The keeper's answer; None when there is none, or none that makes sense."""
    try:
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as stream:
            answer = json.loads(stream.readline())
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None
