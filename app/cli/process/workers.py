"""Run several worker processes on one listening socket."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event

import structlog

from app.config import Settings
from app.server import SHUTDOWN_TIMEOUT_SECONDS, Server, config, set_up_process

log = structlog.get_logger(__name__)

STOP_TIMEOUT = SHUTDOWN_TIMEOUT_SECONDS + 5.0
"""Seconds until workers that have not stopped are killed."""


def serve_alone(settings: Settings, listener: socket.socket, on_ready: Callable[[], object] = lambda: None) -> None:
    """Serve in this process until a signal arrives; the signal is raised again at the end."""
    set_up_process(settings)
    Server(config(settings), on_ready).run([listener])


def _run_worker(settings: Settings, listener: socket.socket, ready: Event) -> None:
    """Run a worker, which shuts down gracefully at a signal or when its parent process ends."""
    threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops its workers.

    def on_ready() -> None:
        ready.set()
        log.info("worker_serves", pid=os.getpid())

    try:
        serve_alone(settings, listener, on_ready)
    except (KeyboardInterrupt, SystemExit):
        os._exit(1)


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class Workers:
    """Keeps `WORKERS` servers running on one socket, and replaces those that end."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._spawn = multiprocessing.get_context("spawn")
        self._ready: dict[SpawnProcess, Event] = {}

    def run(self) -> int:
        """Serve until KeyboardInterrupt; if a worker cannot start, stop and return the exit code 1."""
        set_up_process(self._settings)
        try:
            for _ in range(self._settings.workers):
                self._start()
            while True:
                wait([worker.sentinel for worker in self._ready])
                for worker in [worker for worker in self._ready if not worker.is_alive()]:
                    log.error("worker_ended", exit_code=worker.exitcode)
                    if not self._ready.pop(worker).is_set():
                        return 1  # It ended before it was ready, and so would its replacement.
                    self._start()
        finally:
            self._stop()

    def _start(self) -> None:
        ready = self._spawn.Event()
        worker = self._spawn.Process(target=_run_worker, args=(self._settings, self._listener, ready), name="worker")
        worker.start()
        self._ready[worker] = ready

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT
        for worker in self._ready:
            worker.terminate()
        for worker in self._ready:
            worker.join(max(0.0, deadline - time.monotonic()))
            worker.kill()
            worker.join()
