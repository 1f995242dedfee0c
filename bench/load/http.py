"""A closed loop of HTTP requests: every connection sends, waits for the whole answer, and sends the next.

No pipelining, keep-alive on. The loop is epoll and nothing else: its own CPU per request is in the result, and must be
small beside the server's.
"""

from __future__ import annotations

import select
import socket
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.subjects.processes import cpu_seconds

LOST = 5.0
"""Seconds of silence after which the server is given up."""

LENGTH = b"\ncontent-length:"


@dataclass(frozen=True)
class HttpLoad:
    """What to send to `port`, over as many connections as there are `max_concurrent`.

    Each lane sends its requests in order; with `again` it starts over at the end, without it the measurement is over
    when the first lane has no more. `expected` is in every good answer. `pids` are the server's processes.
    """

    port: int
    max_concurrent: Sequence[Sequence[bytes]]
    expected: bytes
    seconds: float
    warm_up: float
    pids: Sequence[int] = ()
    again: bool = True


@dataclass
class HttpOutcome:
    """What became of the requests answered within the measured `seconds`; `latencies` are in seconds."""

    seconds: float = 0.0
    answers: int = 0
    errors: int = 0
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    first_error: str = ""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds if self.seconds else 0.0


class _Lane:
    """One connection, its requests, and the answer it is in the middle of."""

    __slots__ = ("buffer", "connection", "position", "requests", "sent_at", "waiting")

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=LOST)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = requests
        self.position = 0
        self.buffer = b""
        self.sent_at = 0.0
        self.waiting = False

    def send(self) -> None:
        self.connection.sendall(self.requests[self.position])
        self.position += 1
        self.waiting = True


def run(load: HttpLoad) -> HttpOutcome:
    """Put `load` on the server and return what was measured."""
    max_concurrent = {
        lane.connection.fileno(): lane for lane in (_Lane(load.port, requests) for requests in load.max_concurrent)
    }
    try:
        return _run(load, max_concurrent)
    finally:
        for lane in max_concurrent.values():
            lane.connection.close()


def _run(load: HttpLoad, max_concurrent: dict[int, _Lane]) -> HttpOutcome:
    poll = select.epoll()
    for number, lane in max_concurrent.items():
        poll.register(number, select.EPOLLIN)
        lane.sent_at = time.perf_counter()
        lane.send()
    begin = time.perf_counter() + load.warm_up
    _drive(load, max_concurrent, poll, HttpOutcome(), begin)
    outcome = HttpOutcome()
    server, client, begun = cpu_seconds(load.pids), time.process_time(), time.perf_counter()
    if not _drive(load, max_concurrent, poll, outcome, begun + load.seconds):
        raise RuntimeError("the server hung up, or has not answered for a while")
    outcome.seconds = time.perf_counter() - begun
    outcome.server_cpu = cpu_seconds(load.pids) - server
    outcome.client_cpu = time.process_time() - client
    return outcome


def _drive(
    load: HttpLoad, max_concurrent: dict[int, _Lane], poll: select.epoll, outcome: HttpOutcome, until: float
) -> bool:
    """Go round until then, or until a lane has no more to send. Returns False when the server does not answer."""
    clock, latencies, expected = time.perf_counter, outcome.latencies, load.expected
    now = clock()
    while now < until:
        ready = poll.poll(LOST)
        if not ready:
            return False
        for number, _ in ready:
            lane = max_concurrent[number]
            received = lane.connection.recv(262_144)
            if not received:
                return False
            answer = lane.buffer + received if lane.buffer else received
            if not _is_whole(answer):
                lane.buffer = answer
                continue
            now = clock()
            outcome.answers += 1
            latencies.append(now - lane.sent_at)
            if expected not in answer:
                outcome.errors += 1
                outcome.first_error = outcome.first_error or answer[:2000].decode(errors="replace")
            lane.buffer = b""
            if lane.position == len(lane.requests):
                if not load.again:
                    return True
                lane.position = 0
            lane.sent_at = now
            lane.send()
    return True


def _is_whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    length = head.index(LENGTH) + len(LENGTH)
    return len(answer) >= end + 4 + int(head[length:].partition(b"\r")[0])
