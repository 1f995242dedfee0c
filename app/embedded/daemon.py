"""The daemon: the process that owns the private servers of one data folder while any program uses them.

    python -m app.embedded.daemon DATA

Each client is a TCP connection on the loopback interface. The program that starts the daemon passes its connection as
standard input; other programs find the port and the secret in `DATA/daemon.json`. A client sends one line,
`{"secret": …, "stores": ["postgres", "redis"]}`, and receives one line: the URL of each of these stores, or
`{"error": …}`. Closing the connection, also by the end of the client's process, releases the stores. The last client
to close receives `stopped` once all servers have stopped.
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
from app.embedded.locks import exclusive_lock
from app.embedded.paths import write_private
from app.embedded.servers import Server, make_server

_PREVIOUS_DAEMON_TIMEOUT = 30  # seconds that the previous daemon may take to stop its servers
_REQUEST_TIMEOUT = 5  # seconds
_CHECK_INTERVAL = 1  # seconds until a server that died is restarted


class Daemon:
    """Starts each server when a client first asks for it, restarts it on the same port if it dies, and stops all."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._servers: dict[str, Server] = {}
        self._clients: set[socket.socket] = set()
        self._disconnected: list[socket.socket] = []
        self._secret = secrets.token_urlsafe(24)
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector.register(self._listener, selectors.EVENT_READ)

    def serve(self, first: socket.socket) -> None:
        """Serve `first` and all clients that connect later, until no client is left."""
        self._publish_address()
        self._accept(first, trusted=True)
        while self._clients:
            for key, _ in self._selector.select(_CHECK_INTERVAL):
                if key.fileobj is self._listener:
                    self._accept(self._listener.accept()[0])
                elif isinstance(key.fileobj, socket.socket):
                    self._remove(key.fileobj)
            if self._clients:
                self._close_disconnected()
                self._restart_dead_servers()

    def close(self) -> None:
        """Accept no more clients, stop the servers, and notify the clients that wait for it."""
        self._listener.close()
        (self._data / "daemon.json").unlink(missing_ok=True)
        for server in self._servers.values():
            server.stop()
        for client in self._disconnected:
            with contextlib.suppress(OSError):
                client.sendall(b"stopped\n")

    def _publish_address(self) -> None:
        address = {"port": self._listener.getsockname()[1], "secret": self._secret}
        write_private(self._data / "daemon.json", json.dumps(address))

    def _accept(self, client: socket.socket, trusted: bool = False) -> None:
        client.settimeout(_REQUEST_TIMEOUT)
        try:
            client.sendall(json.dumps(self._handle_request(client, trusted)).encode() + b"\n")
        except (OSError, ValueError, KeyError, TypeError):  # disconnected, or not a client of this protocol
            client.close()
            return
        self._clients.add(client)
        self._selector.register(client, selectors.EVENT_READ)

    def _handle_request(self, client: socket.socket, trusted: bool) -> dict[str, str]:
        with client.makefile("rb") as stream:
            request = json.loads(stream.readline(4096))
        if not trusted and not hmac.compare_digest(str(request["secret"]), self._secret):
            raise ValueError("wrong secret")
        try:
            return {name: self._running_server(name).url for name in request["stores"]}
        except (EmbeddedError, OSError) as error:
            return {"error": str(error)}

    def _remove(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        self._clients.remove(client)
        self._disconnected.append(client)

    def _close_disconnected(self) -> None:
        while self._disconnected:
            self._disconnected.pop().close()

    def _running_server(self, name: str) -> Server:
        server = self._servers.get(name)
        if server is None:
            server = make_server(self._data, name)
            try:
                self._servers[name] = server  # before it starts: `close` must also stop a server that is starting
                server.start()
            except (EmbeddedError, OSError):
                del self._servers[name]
                raise
        elif not server.is_running:
            server.start(server.port)
        return server

    def _restart_dead_servers(self) -> None:
        for server in self._servers.values():
            if not server.is_running:
                server.start(server.port)


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def main(data: Path) -> None:
    """Serve the client whose connection is standard input, and all clients that connect later."""
    signal.signal(signal.SIGTERM, _exit_on_signal)
    signal.signal(signal.SIGINT, _exit_on_signal)
    with socket.socket(fileno=os.dup(0)) as first:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a second descriptor would keep the connection open
        try:
            with exclusive_lock(data / "daemon.lock", _PREVIOUS_DAEMON_TIMEOUT):
                daemon = Daemon(data)
                try:
                    daemon.serve(first)
                finally:
                    daemon.close()
                # Releases connections, lock and process id together: another process that sees one of them released
                # can rely on the others.
                os._exit(0)
        except EmbeddedError as error:
            first.sendall(json.dumps({"error": str(error)}).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
