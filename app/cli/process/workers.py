"""Run several worker processes on one listening socket.

The parent imports the application and forks: its modules, most of what a process needs, are in memory once and shared
by all workers. The parent has neither threads nor an event loop, which a fork could not copy.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import structlog

from app.cli.process.signals import SIGNALS
from app.config import Settings
from app.server import SHUTDOWN_TIMEOUT_SECONDS, Server, config, set_up_process
from app.telemetry.logging import configure_logging
from app.telemetry.metrics.workers import Worker

log = structlog.get_logger(__name__)

STOP_TIMEOUT = SHUTDOWN_TIMEOUT_SECONDS + 5.0
"""Seconds until workers that have not stopped are killed."""


def serve_alone(
    settings: Settings,
    listener: socket.socket,
    on_ready: Callable[[], object] = lambda: None,
    worker: Worker | None = None,
) -> None:
    """Serve in this process until a signal arrives; the signal is raised again at the end."""
    set_up_process(settings)
    Server(config(settings, worker=worker), on_ready).run([listener])


def _run_worker(
    settings: Settings, listener: socket.socket, ready: Event, parent: _ParentProcess, worker: Worker
) -> None:
    """Run a worker, which shuts down gracefully at a signal or when its parent process ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops its workers.
    threading.Thread(target=parent.stop_with_it, name="parent", daemon=True).start()

    def on_ready() -> None:
        ready.set()
        log.info("worker_serves", pid=os.getpid(), worker=worker.number)

    try:
        serve_alone(settings, listener, on_ready, worker)
    except (KeyboardInterrupt, SystemExit):
        os._exit(1)


class _ParentProcess:
    """The parent, whose end its workers notice at a pipe: only the parent has the end that writes."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def stop_with_it(self) -> None:
        """Stop this worker once the parent has ended."""
        os.close(self._writer)
        os.read(self._reader, 1)  # Nothing is ever written.
        os.kill(os.getpid(), signal.SIGTERM)


class Workers:
    """Keeps `WORKERS` servers running on one socket, and replaces those that end."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._fork = multiprocessing.get_context("fork")
        self._parent = _ParentProcess()
        self._ready: dict[ForkProcess, Event] = {}
        self._numbers: dict[ForkProcess, int] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="leaderboard-workers-"))
        """Where the workers reach each other; only this user may enter it."""

    def run(self) -> int:
        """Serve until KeyboardInterrupt; if a worker cannot start, stop and return the exit code 1."""
        settings = self._settings
        configure_logging(settings.log_level, json=settings.is_production, secrets=settings.secret_texts)
        # The garbage collector of a worker would otherwise write to the shared memory, and thereby copy it.
        gc.collect()
        gc.freeze()
        try:
            for number in range(self._settings.workers):
                self._start(number)
            while True:
                wait([worker.sentinel for worker in self._ready])
                for worker in [worker for worker in self._ready if not worker.is_alive()]:
                    log.error("worker_ended", exit_code=worker.exitcode)
                    if not self._ready.pop(worker).is_set():
                        return 1  # It ended before it was ready, and so would its replacement.
                    self._start(self._numbers.pop(worker))
        finally:
            self._stop()

    def _start(self, number: int) -> None:
        ready = self._fork.Event()
        place = Worker(number, self._settings.workers, self._folder)
        arguments = (self._settings, self._listener, ready, self._parent, place)
        worker = self._fork.Process(target=_run_worker, args=arguments, name="worker")
        worker.start()
        self._ready[worker] = ready
        self._numbers[worker] = number

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT
        for worker in self._ready:
            worker.terminate()
        for worker in self._ready:
            worker.join(max(0.0, deadline - time.monotonic()))
            worker.kill()
            worker.join()
        shutil.rmtree(self._folder, ignore_errors=True)
