"""The process that owns the private servers of one data folder, for as long as anybody uses them.

    python -m app.embedded.daemon DATA

A user is a TCP connection of the loopback. The first comes as standard input, the others find port and secret in
`DATA/daemon.json`. Each sends one line, `{"secret": …, "need": ["postgres", "redis"]}`, and gets one back, a URL
for each store it needs or `{"error": …}`. A connection that ends, be it by `kill -9`, gives the stores back.
The last one is answered with `stopped` when all servers are down.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import selectors
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

from app.embedded.errors import EmbeddedError
from app.embedded.locks import exclusive
from app.embedded.paths import write_private
from app.embedded.servers import Server, make_server

_PREDECESSOR_SECONDS = 30  # how long an earlier keeper may take to stop its servers
_REQUEST_SECONDS = 5
_CHECK_SECONDS = 1  # how soon a server that died is started again


class Daemon:
    """Starts a server when it is first needed, and again (same port) when it dies; stops all with `close`."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._servers: dict[str, Server] = {}
        self._users: set[socket.socket] = set()
        self._leaving: list[socket.socket] = []
        self._secret = secrets.token_urlsafe(24)
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector.register(self._listener, selectors.EVENT_READ)

    def serve(self, first: socket.socket) -> None:
        """Serve `first`, and all who join, until nobody is left."""
        self._publish()
        self._welcome(first, known=True)
        while self._users:
            for key, _ in self._selector.select(_CHECK_SECONDS):
                if key.fileobj is self._listener:
                    self._welcome(self._listener.accept()[0])
                elif isinstance(key.fileobj, socket.socket):
                    self._release(key.fileobj)
            if self._users:
                self._stop_all()
                self._revive()

    def close(self) -> None:
        """Let nobody join any more, stop the servers, and tell those who wait for it."""
        self._listener.close()
        (self._data / "keeper.json").unlink(missing_ok=True)
        for server in self._servers.values():
            server.stop()
        for user in self._leaving:
            with contextlib.suppress(OSError):
                user.sendall(b"stopped\n")

    def _publish(self) -> None:
        address = {"port": self._listener.getsockname()[1], "secret": self._secret}
        write_private(self._data / "keeper.json", json.dumps(address))

    def _welcome(self, user: socket.socket, known: bool = False) -> None:
        user.settimeout(_REQUEST_SECONDS)
        try:
            user.sendall(json.dumps(self._answer(user, known)).encode() + b"\n")
        except (OSError, ValueError, KeyError, TypeError):  # gone, or not one of us
            user.close()
            return
        self._users.add(user)
        self._selector.register(user, selectors.EVENT_READ)

    def _answer(self, user: socket.socket, known: bool) -> dict[str, str]:
        with user.makefile("rb") as stream:
            request = json.loads(stream.readline(4096))
        if not known and not hmac.compare_digest(str(request["secret"]), self._secret):
            raise ValueError("wrong secret")
        try:
            return {name: self._need(name).url for name in request["need"]}
        except (EmbeddedError, OSError) as error:
            return {"error": str(error)}

    def _release(self, user: socket.socket) -> None:
        self._selector.unregister(user)
        self._users.remove(user)
        self._leaving.append(user)

    def _stop_all(self) -> None:
        while self._leaving:
            self._leaving.pop().close()

    def _need(self, name: str) -> Server:
        server = self._servers.get(name)
        if server is None:
            server = make_server(self._data, name)
            try:
                self._servers[name] = server  # before it starts: `close` must stop one that is only starting as well
                server.start()
            except (EmbeddedError, OSError):
                del self._servers[name]
                raise
        elif not server.running:
            server.start(server.port)
        return server

    def _revive(self) -> None:
        for server in self._servers.values():
            if not server.running:
                server.start(server.port)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def main(data: Path) -> None:
    """Serve the connection that is our standard input, then everybody who joins."""
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, _terminate)
    with socket.socket(fileno=os.dup(0)) as first:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a second descriptor would keep the connection open
        try:
            with exclusive(data / "keeper.lock", _PREDECESSOR_SECONDS):
                daemon = Daemon(data)
                try:
                    daemon.serve(first)
                finally:
                    daemon.close()
                os._exit(0)  # ends connections, lock and process in one stroke: who saw one end may count on all
        except EmbeddedError as error:
            first.sendall(json.dumps({"error": str(error)}).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
