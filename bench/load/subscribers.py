"""Thousands of sockets that watch a board, in one process with an epoll loop that decodes as little as possible.

Only the first score of a message is read, which is the leader's and identifies the message. Arrival times come from the
kernel (SO_TIMESTAMPNS), so that a receiver that is behind does not change the results.
"""

from __future__ import annotations

import select
import socket
import time
from array import array
from collections import defaultdict
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.workloads import wire
from bench.workloads.documents import POINTS, UPDATES

SO_TIMESTAMPNS = 35
"""A socket option of Linux for which Python has no name."""

RECEIVE_BYTES = 262_144
SCORE = b'"score":'
INIT = wire.message("connection_init")


@dataclass(frozen=True)
class Ramp:
    """The result of opening sockets: `seconds` until all `watching` sockets had received the current state."""

    watching: int
    lost: int
    seconds: float


@dataclass(frozen=True)
class Arrivals:
    """When sockets received a score, in ns of the wall clock, sorted; `missing` sockets did not receive it."""

    times: array[int]
    missing: int


class _Watcher:
    __slots__ = ("buffer", "connection", "opened", "score", "subscribe")

    def __init__(self, connection: socket.socket, subscribe: bytes) -> None:
        self.connection = connection
        self.subscribe = subscribe
        self.opened = False
        self.buffer = b""
        self.score: int | None = None


class WatcherSockets:
    """All sockets of this process, in one epoll with the pipe for commands."""

    def __init__(self, port: int, commands: Connection) -> None:
        self._port = port
        self._commands = commands
        self._poll = select.epoll()
        self._poll.register(commands.fileno(), select.EPOLLIN)
        self._watchers: dict[int, _Watcher] = {}
        self._arrivals: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))
        self._opened = 0
        self._watching = 0
        self._lost = 0

    def serve(self) -> None:
        """Execute commands, which are names of methods with arguments, until the pipe closes.

        Meanwhile, the sockets are read and pings are answered.
        """
        while True:
            self._poll_once(None)
            if self._commands.poll():
                try:
                    name, *arguments = self._commands.recv()
                except EOFError:
                    return
                self._commands.send(getattr(self, name)(*arguments))

    def ramp(self, sockets: int, max_connecting: int, seconds: float) -> Ramp:
        """Open more sockets, at most `max_connecting` at the same time, for at most `seconds`."""
        begun, target = time.monotonic(), self._opened + sockets
        while self._watching + self._lost < target and time.monotonic() < begun + seconds:
            while self._opened < target and self._opened - self._watching - self._lost < max_connecting:
                self._open()
            self._poll_once(0.5)
        return Ramp(self._watching, self._opened - self._watching, time.monotonic() - begun)

    def arrivals(self, score: int, seconds: float) -> Arrivals:
        """Wait at most `seconds` until all sockets have received `score` of the leader or a higher one."""
        until = time.monotonic() + seconds
        while len(self._arrivals[score]) < self._watching and (left := until - time.monotonic()) > 0:
            self._poll_once(left)
        times = self._arrivals.pop(score)
        return Arrivals(array("q", sorted(times)), self._watching - len(times))

    def cpu(self) -> float:
        """Return the CPU time of this process in seconds."""
        return time.process_time()

    def _open(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        connection.sendall(wire.OPENING)
        connection.setblocking(False)
        id = f"{self._opened:08x}-0000-4000-8000-000000000000"
        subscribe = wire.message("subscribe", id, {"query": UPDATES, "variables": {"limit": 10}})
        self._watchers[connection.fileno()] = _Watcher(connection, subscribe)
        self._poll.register(connection.fileno(), select.EPOLLIN)
        self._opened += 1

    def _poll_once(self, timeout: float | None) -> None:
        for number, _ in self._poll.poll(timeout):
            watcher = self._watchers.get(number)
            if watcher is not None:
                self._read(watcher)

    def _read(self, watcher: _Watcher) -> None:
        try:
            received, notes, _, _ = watcher.connection.recvmsg(RECEIVE_BYTES, 64)
        except OSError:
            received, notes = b"", []
        if not received:
            self._lose(watcher)
            return
        buffer = watcher.buffer + received if watcher.buffer else received
        if not watcher.opened:
            head, found, buffer = buffer.partition(b"\r\n\r\n")
            if not found:
                watcher.buffer = head
                return
            watcher.opened = True
            watcher.connection.sendall(INIT)
        arrived = _nanoseconds(notes[0][2]) if notes else time.time_ns()
        while (split := wire.split_frame(buffer)) is not None:
            opcode, payload, end = split
            buffer = buffer[end:]
            self._handle_frame(watcher, opcode, payload, arrived)
        watcher.buffer = buffer

    def _handle_frame(self, watcher: _Watcher, opcode: int, payload: bytes, arrived: int) -> None:
        at = payload.find(SCORE)
        if at >= 0:
            self._record_score(watcher, int(payload[at + 8 : payload.find(b",", at)]), arrived)
        elif opcode == wire.PING:
            watcher.connection.sendall(wire.frame(wire.PONG, payload))
        elif opcode == wire.CLOSE:
            self._lose(watcher)
        elif b'"connection_ack"' in payload:
            watcher.connection.sendall(watcher.subscribe)

    def _record_score(self, watcher: _Watcher, score: int, arrived: int) -> None:
        if watcher.score is None:
            self._watching += 1
        else:
            # A socket that skipped scores has received them with this one.
            for reached in range(watcher.score + POINTS, score + 1, POINTS):
                self._arrivals[reached].append(arrived)
        watcher.score = score

    def _lose(self, watcher: _Watcher) -> None:
        if self._watchers.pop(watcher.connection.fileno(), None) is None:
            return
        watcher.connection.close()
        if watcher.score is None:
            self._lost += 1


def _nanoseconds(timespec: bytes) -> int:
    return int.from_bytes(timespec[:8], "little") * 1_000_000_000 + int.from_bytes(timespec[8:16], "little")
