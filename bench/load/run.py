"""Runs load in processes of its own."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from bench.load import http
from bench.load.http import HttpLoad, HttpOutcome
from bench.load.subscribers import Arrivals, Crowd, Ramp

SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 30.0
"""Seconds that an answer over the pipe may take beyond the time that was given for the order."""


class Clients:
    """One process that puts one load at a time on servers."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def start(self, load: HttpLoad) -> Future[HttpOutcome]:
        """Put `load` on the server, beside whatever else goes on."""
        return self._pool.submit(http.run, load)

    def run(self, load: HttpLoad) -> HttpOutcome:
        """Put `load` on the server."""
        return self.start(load).result()


@contextmanager
def clients() -> Iterator[Clients]:
    """A process for HTTP load."""
    with ProcessPoolExecutor(1, mp_context=SPAWN, initializer=raise_descriptor_limit) as pool:
        yield Clients(pool)


class Watchers:
    """A crowd of sockets in a process of its own."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def ramp(self, sockets: int, *, at_once: int = 100, seconds: float = 120.0) -> Ramp:
        """Open so many more sockets, at most `at_once` on their way in. Gives up after `seconds`."""
        ramp: Ramp = self._ask(seconds, "ramp", sockets, at_once, seconds)
        return ramp

    def arrivals(self, score: int, seconds: float) -> Arrivals:
        """When the sockets heard that the leader has `score`; waits up to `seconds` for those that have not yet."""
        arrivals: Arrivals = self._ask(seconds, "arrivals", score, seconds)
        return arrivals

    def cpu(self) -> float:
        """Seconds of CPU the crowd has used."""
        used: float = self._ask(0, "cpu")
        return used

    def _ask(self, seconds: float, *order: object) -> Any:
        self._pipe.send(order)
        if not self._pipe.poll(seconds + PATIENCE):
            raise TimeoutError("the crowd of sockets does not answer")
        return self._pipe.recv()


@contextmanager
def watchers(port: int) -> Iterator[Watchers]:
    """A process for sockets to `port`; all of them are closed at the end."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve_crowd, args=(port, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Watchers(ours)
    finally:
        ours.close()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()


def raise_descriptor_limit() -> None:
    """As many open files as this machine lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _serve_crowd(port: int, orders: Connection) -> None:
    raise_descriptor_limit()
    Crowd(port, orders).serve()
