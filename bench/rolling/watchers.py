"""Watchers of a board that come back when their socket is closed, and measure how long they saw nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bench.workloads import wire
from bench.workloads.documents import UPDATES

SOCKETS_PER_ADDRESS = 100
"""Watchers come from several addresses of the loopback interface, as the limits per address hold."""
MAX_PAUSE = 0.5
"""Watchers come back after a random time of at most this many seconds, so that not all come in the same instant."""
RETRY_PAUSE = 0.1
OPENING_TIMEOUT = 10.0
RETRYABLE = (1001, 1006, 1011, 1012, 1013)
"""The close codes after which clients come back; 1006 is a connection that ended without one."""


@dataclass
class Absences:
    """What watchers saw.

    Attributes:
        watching: How many see the board now.
        seconds: How long each absence lasted, from the close of the socket to the next board.
        codes: How often a socket was closed with each code.
        refused: How many attempts to come back failed, by reason.
        gone: How many were closed with a code after which clients do not come back.
    """

    watching: int = 0
    seconds: list[float] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    gone: int = 0


class Watchers:
    """A number of watchers, each a task."""

    def __init__(self, port: int, count: int) -> None:
        self.absences = Absences()
        self.count = count
        self._port = port
        self._random = random.Random(1)

    async def run(self) -> None:
        """Watch until cancelled."""
        await asyncio.gather(*(self._watch(number) for number in range(self.count)))

    async def until_all_watch(self, seconds: float) -> bool:
        """Wait until all watchers see the board; return whether they do within `seconds`."""
        deadline = time.monotonic() + seconds
        while self.absences.watching < self.count and time.monotonic() < deadline:  # noqa: ASYNC110  many watchers
            await asyncio.sleep(0.02)
        return self.absences.watching == self.count

    async def _watch(self, number: int) -> None:
        closed_at: float | None = None
        while True:
            try:
                code, closed_at = await self._session(number, closed_at)
            except (OSError, _RefusedSocket) as error:
                if closed_at is not None:
                    self.absences.refused[str(error)] += 1
                await asyncio.sleep(RETRY_PAUSE)
                continue
            self.absences.codes[code] += 1
            if code not in RETRYABLE:
                self.absences.gone += 1
                return
            await asyncio.sleep(self._random.uniform(0, MAX_PAUSE))

    async def _session(self, number: int, closed_at: float | None) -> tuple[int, float]:
        """Watch with one socket until it is closed; return the code and the time."""
        address = f"127.0.1.{1 + number // SOCKETS_PER_ADDRESS}"
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
        is_watching = False
        try:
            async with asyncio.timeout(OPENING_TIMEOUT):
                frames = await self._subscribe(reader, writer)
            self.absences.watching += 1
            is_watching = True
            if closed_at is not None:
                self.absences.seconds.append(time.monotonic() - closed_at)
            async for opcode, payload in frames:
                if opcode == wire.CLOSE:
                    return int.from_bytes(payload[:2], "big"), time.monotonic()
            return 1006, time.monotonic()
        except TimeoutError as error:
            raise _RefusedSocket("no board in time") from error
        finally:
            self.absences.watching -= is_watching
            writer.close()

    async def _subscribe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Open a socket and wait for the first board; return the frames that follow. Raises _RefusedSocket."""
        writer.write(wire.OPENING)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise _RefusedSocket("ended before it was opened") from error
        if not head.startswith(b"HTTP/1.1 101"):
            raise _RefusedSocket(head.split(b"\r\n")[0].decode(errors="replace"))
        frames = _frames(reader, writer)
        writer.write(wire.message("connection_init"))
        async for opcode, payload in frames:
            if opcode == wire.CLOSE:
                raise _RefusedSocket(f"closed with {int.from_bytes(payload[:2], 'big')}")
            if b'"connection_ack"' in payload:
                writer.write(wire.message("subscribe", "1", {"query": UPDATES, "variables": {"limit": 10}}))
            elif b'"next"' in payload:
                return frames
        raise _RefusedSocket("ended before the first board")


async def _frames(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[tuple[int, bytes]]:
    """Yield opcode and payload of each frame until the connection ends; pings and closes are answered."""
    buffer = b""
    while True:
        if (split := wire.split_frame(buffer)) is None:
            received = await reader.read(65_536)
            if not received:
                return
            buffer += received
            continue
        opcode, payload, end = split
        buffer = buffer[end:]
        if opcode == wire.PING:
            writer.write(wire.frame(wire.PONG, payload))
            continue
        if opcode == wire.CLOSE:
            writer.write(wire.frame(wire.CLOSE, payload[:2]))
        yield opcode, payload


class _RefusedSocket(Exception):
    """A socket was not opened. The message says why."""
