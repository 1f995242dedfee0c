"""Run load in separate processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from app.cli.process.descriptors import raise_descriptor_limit
from bench.load import http
from bench.load.http import HttpLoad, HttpOutcome
from bench.load.subscribers import Arrivals, Ramp, WatcherSockets

SPAWN = multiprocessing.get_context("spawn")
REPLY_TIMEOUT = 30.0
"""Seconds that a reply may take beyond the time-out of the command."""


class Clients:
    """A process that runs one load at a time."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def start(self, load: HttpLoad) -> Future[HttpOutcome]:
        """Start a load in the background."""
        return self._pool.submit(http.run, load)

    def run(self, load: HttpLoad) -> HttpOutcome:
        """Run a load and return its result."""
        return self.start(load).result()


@contextmanager
def clients() -> Iterator[Clients]:
    """Run a process for HTTP load during the block."""
    with ProcessPoolExecutor(1, mp_context=SPAWN, initializer=raise_descriptor_limit) as pool:
        yield Clients(pool)


class Watchers:
    """Sockets that watch a board, in a separate process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def ramp(self, sockets: int, *, max_connecting: int = 100, seconds: float = 120.0) -> Ramp:
        """Open more sockets, at most `max_connecting` at the same time, for at most `seconds`."""
        ramp: Ramp = self._call(seconds, "ramp", sockets, max_connecting, seconds)
        return ramp

    def arrivals(self, score: int, seconds: float) -> Arrivals:
        """Return when the sockets received `score` of the leader, after waiting at most `seconds` for all of them."""
        arrivals: Arrivals = self._call(seconds, "arrivals", score, seconds)
        return arrivals

    def cpu(self) -> float:
        """Return the CPU time of the process in seconds."""
        used: float = self._call(0, "cpu")
        return used

    def _call(self, seconds: float, *command: object) -> Any:
        self._pipe.send(command)
        if not self._pipe.poll(seconds + REPLY_TIMEOUT):
            raise TimeoutError("the process with the sockets does not reply")
        return self._pipe.recv()


@contextmanager
def watchers(port: int) -> Iterator[Watchers]:
    """Run a process for sockets to `port` during the block."""
    parent_end, child_end = SPAWN.Pipe()
    process = SPAWN.Process(target=_run_sockets, args=(port, child_end), daemon=True)
    process.start()
    child_end.close()
    try:
        yield Watchers(parent_end)
    finally:
        parent_end.close()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()


def _run_sockets(port: int, commands: Connection) -> None:
    raise_descriptor_limit()
    WatcherSockets(port, commands).serve()
