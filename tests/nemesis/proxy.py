"""A TCP proxy between an instance and a store, whose network a test makes slow, silent or dead."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from random import Random

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with a time of 0: closing sends RST


@dataclass
class Direction:
    """How the bytes of one direction travel: delays in seconds, bandwidth in bytes per second.

    While it is `blocked`, bytes wait in the kernel, as in a network that drops packets: they arrive when it is healed.
    """

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._open.set()

    def block(self) -> None:
        """Deliver nothing from now on."""
        self._open.clear()

    def heal(self) -> None:
        """Deliver everything at once again."""
        self.latency = self.jitter = 0.0
        self.bandwidth = None
        self._open.set()

    async def travel(self, size: int, random: Random) -> None:
        """Return when a chunk of this size has arrived."""
        seconds = self.latency + random.random() * self.jitter + (size / self.bandwidth if self.bandwidth else 0)
        if seconds:
            await asyncio.sleep(seconds)
        await self._open.wait()


@dataclass(eq=False)
class _Link:
    """One connection of a client, and the connection to the server that belongs to it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    is_dead: bool = False
    """The peer has gone without a word: what the client sends is read and never answered."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Proxy:
    """Forwards connections from a port of its own to a server on the loopback interface."""

    def __init__(self, target: int, random: Random) -> None:
        """Configure the proxy of the server that listens on port `target`."""
        self.port = 0
        self.requests = Direction()
        """From the client to the server."""
        self.answers = Direction()
        """From the server to the client."""
        self._target = target
        self._random = random
        self._links: set[_Link] = set()
        self._refuses = False
        self._half_open = False
        self._listener: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """The number of connections of clients."""
        return len(self._links)

    async def __aenter__(self) -> Proxy:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_CHUNK)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        self.reset()
        await asyncio.gather(*(task for link in self._links for task in link.tasks), return_exceptions=True)

    def block(self) -> None:
        """Deliver nothing in either direction; connections stay open."""
        self.requests.block()
        self.answers.block()

    def refuse(self) -> None:
        """Reset new connections."""
        self._refuses = True

    def reset(self) -> None:
        """Reset every connection."""
        for link in list(self._links):
            for writer in (link.client, link.server):
                if writer is not None:
                    _reset(writer)
            for task in link.tasks:
                task.cancel()

    def half_open(self) -> None:
        """Lose the server without a word: these connections, and new ones until `heal`, are never answered again."""
        self._half_open = True
        for link in self._links:
            link.is_dead = True
            if link.server is not None:
                _reset(link.server)

    def heal(self) -> None:
        """Forward at once again. Connections that became half-open stay so."""
        self._refuses = self._half_open = False
        self.requests.heal()
        self.answers.heal()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer, is_dead=self._half_open)
        task = asyncio.current_task()
        assert task is not None
        link.tasks.add(task)
        self._links.add(link)
        try:
            if self._refuses:
                _reset(writer)
                return
            if link.is_dead:
                await _swallow(reader)
                return
            with contextlib.suppress(OSError):
                from_server, link.server = await asyncio.open_connection("127.0.0.1", self._target, limit=_CHUNK)
            if link.server is None:
                _reset(writer)
                return
            back = asyncio.create_task(self._pump(from_server, writer, self.answers, link))
            link.tasks.add(back)
            await self._pump(reader, link.server, self.requests, link)
            await back
        except asyncio.CancelledError:
            pass  # `reset` ends the link; a callback of asyncio would report the cancellation as an error.
        finally:
            self._links.discard(link)
            for other in link.tasks - {task}:
                other.cancel()
            for end in (writer, link.server):
                if end is not None:
                    end.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction, link: _Link
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await direction.travel(len(chunk), self._random)
                if link.is_dead:
                    continue
                writer.write(chunk)
                await writer.drain()
        if link.is_dead:
            if reader is not None and direction is self.requests:
                await _swallow(reader)
            return
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()


async def _swallow(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(_CHUNK):
            pass


def _reset(writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
