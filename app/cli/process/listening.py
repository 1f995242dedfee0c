"""Bind the socket that a server listens on."""

from __future__ import annotations

import errno
import socket

from app.cli.terminal.errors import CommandError


def bind(host: str, port: int) -> socket.socket:
    """Return a TCP socket bound to an address, not listening yet; port 0 chooses a free port.

    Servers call this before anything else, so that a port in use is reported at once.

    Raises:
        CommandError: The address cannot be bound.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CommandError(f"HOST must be an address of this machine, not {host}: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise CommandError(_bind_error(host, port, error)) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL at which a browser on this machine reaches a bound socket."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - read, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind_error(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use: stop the program that uses it, or choose another with PORT={port + 1}"
    if error.errno == errno.EACCES:
        return f"port {port} needs privileges: choose one above 1023 with PORT=8000"
    return f"HOST must be an address of this machine, not {host}: {error.strerror}"
