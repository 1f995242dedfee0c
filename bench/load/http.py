"""A closed loop of HTTP requests: each connection sends a request, waits for the whole response, and sends the next.

Connections are kept alive, without pipelining. The loop uses epoll only; its own CPU time per request is part of the
result, and must be small compared with that of the server.
"""

from __future__ import annotations

import select
import socket
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.subjects.processes import cpu_seconds

SILENCE_TIMEOUT = 5.0
"""Seconds without a response after which a measurement fails."""

CONTENT_LENGTH = b"\ncontent-length:"


@dataclass(frozen=True)
class HttpLoad:
    """The load of one measurement.

    Attributes:
        port: The port of the server.
        requests: The requests of each connection, sent in order.
        expected: Bytes that every successful response contains.
        seconds: The duration of the measurement.
        warm_up: Seconds of load before the measurement.
        pids: The processes of the server.
        repeat: Whether a connection starts again after its last request; otherwise the measurement ends then.
    """

    port: int
    requests: Sequence[Sequence[bytes]]
    expected: bytes
    seconds: float
    warm_up: float
    pids: Sequence[int] = ()
    repeat: bool = True


@dataclass
class HttpOutcome:
    """The result of a measurement of `seconds`; `latencies` are in seconds."""

    seconds: float = 0.0
    responses: int = 0
    errors: int = 0
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    first_error: str = ""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.responses / self.seconds if self.seconds else 0.0


class _Connection:
    """A connection, its requests, and the part of a response that it has received."""

    __slots__ = ("buffer", "position", "requests", "sent_at", "socket")

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = requests
        self.position = 0
        self.buffer = b""
        self.sent_at = 0.0

    def send(self) -> None:
        self.socket.sendall(self.requests[self.position])
        self.position += 1


def run(load: HttpLoad) -> HttpOutcome:
    """Run a load and return the result."""
    connections = {
        connection.socket.fileno(): connection
        for connection in (_Connection(load.port, requests) for requests in load.requests)
    }
    try:
        return _run(load, connections)
    finally:
        for connection in connections.values():
            connection.socket.close()


def _run(load: HttpLoad, connections: dict[int, _Connection]) -> HttpOutcome:
    poll = select.epoll()
    for number, connection in connections.items():
        poll.register(number, select.EPOLLIN)
        connection.sent_at = time.perf_counter()
        connection.send()
    begin = time.perf_counter() + load.warm_up
    _drive(load, connections, poll, HttpOutcome(), begin)
    outcome = HttpOutcome()
    server, client, begun = cpu_seconds(load.pids), time.process_time(), time.perf_counter()
    if not _drive(load, connections, poll, outcome, begun + load.seconds):
        raise RuntimeError("the server closed a connection, or did not respond")
    outcome.seconds = time.perf_counter() - begun
    outcome.server_cpu = cpu_seconds(load.pids) - server
    outcome.client_cpu = time.process_time() - client
    return outcome


def _drive(
    load: HttpLoad, connections: dict[int, _Connection], poll: select.epoll, outcome: HttpOutcome, until: float
) -> bool:
    """Send requests until `until`, or until a connection has sent its last; return False if the server fails."""
    clock, latencies, expected = time.perf_counter, outcome.latencies, load.expected
    now = clock()
    while now < until:
        ready = poll.poll(SILENCE_TIMEOUT)
        if not ready:
            return False
        for number, _ in ready:
            connection = connections[number]
            received = connection.socket.recv(262_144)
            if not received:
                return False
            response = connection.buffer + received if connection.buffer else received
            if not _is_whole(response):
                connection.buffer = response
                continue
            now = clock()
            outcome.responses += 1
            latencies.append(now - connection.sent_at)
            if expected not in response:
                outcome.errors += 1
                outcome.first_error = outcome.first_error or response[:2000].decode(errors="replace")
            connection.buffer = b""
            if connection.position == len(connection.requests):
                if not load.repeat:
                    return True
                connection.position = 0
            connection.sent_at = now
            connection.send()
    return True


def _is_whole(response: bytes) -> bool:
    end = response.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = response[:end].lower()
    length = head.index(CONTENT_LENGTH) + len(CONTENT_LENGTH)
    return len(response) >= end + 4 + int(head[length:].partition(b"\r")[0])
