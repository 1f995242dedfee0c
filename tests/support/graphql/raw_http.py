"""An HTTP client that sends bytes as they are."""

from __future__ import annotations

import asyncio
import re
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.wait_until import TIMEOUT


class Connection:
    """A connection to an HTTP server."""

    def __init__(self, raw: sockets.socket) -> None:
        self._raw = raw
        self._received = b""

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        await asyncio.get_running_loop().sock_sendall(self._raw, data)

    async def response(self) -> tuple[bytes, bytes]:
        """Return the head and the body of the next response."""
        while b"\r\n\r\n" not in self._received:
            await self._receive()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        length = int(found[1]) if found else 0
        while len(rest) < length:
            await self._receive()
            rest = self._received.partition(b"\r\n\r\n")[2]
        self._received = rest[length:]
        return head, rest[:length]

    async def asks(self, request: bytes) -> tuple[bytes, bytes]:
        """Send a request, and return the head and the body of the response."""
        await self.send(request)
        return await self.response()

    async def is_closed(self) -> bool:
        """Wait for data; return whether the server closed the connection instead."""
        return not self._received and not await asyncio.get_running_loop().sock_recv(self._raw, 1000)

    async def _receive(self) -> None:
        chunk = await asyncio.get_running_loop().sock_recv(self._raw, 100_000)
        assert chunk, f"closed after {self._received!r}"
        self._received += chunk


@asynccontextmanager
async def connected(url: str, source: str = "127.0.0.1") -> AsyncIterator[Connection]:
    """Connect to the server at `url` from the address `source`."""
    host, port = url.removeprefix("http://").split(":")
    with sockets.socket() as raw:
        raw.bind((source, 0))
        raw.setblocking(False)
        async with asyncio.timeout(TIMEOUT):
            await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
            yield Connection(raw)
