"""Worker processes: several servers behind one listening socket."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import structlog

from app.config import Settings
from app.server import GRACE, Server, config
from app.telemetry.logging import configure_logging

log = structlog.get_logger(__name__)

SHORT_LIFE = 10.0
"""Seconds: a worker that ends sooner has not started; a second chance would end the same way."""
STOP_SECONDS = GRACE + 5.0


def serve_alone(settings: Settings, listener: socket.socket) -> None:
    """Serve in this process until a signal comes, which is raised again at the end."""
    configure_logging(settings.log_level, json=settings.is_production)
    Server(config(settings)).run([listener])


def _work(settings: Settings, listener: socket.socket) -> None:
    """The life of a worker. A signal ends it in order, and so does the end of its parent."""
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who tells its workers.
    try:
        serve_alone(settings, listener)
    except (KeyboardInterrupt, SystemExit):
        os._exit(1)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class Workers:
    """Keeps as many servers running as the settings ask for, all on one socket."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._spawn = multiprocessing.get_context("spawn")
        self._started: dict[SpawnProcess, float] = {}

    def run(self) -> int:
        """Serve until KeyboardInterrupt, or until a worker cannot start: then the exit code is 1."""
        configure_logging(self._settings.log_level, json=self._settings.is_production)
        try:
            for _ in range(self._settings.workers):
                self._start()
            while True:
                wait([worker.sentinel for worker in self._started])
                for worker in [worker for worker in self._started if not worker.is_alive()]:
                    lived = time.monotonic() - self._started.pop(worker)
                    log.error("worker_ended", exit_code=worker.exitcode, seconds=round(lived, 1))
                    if lived < SHORT_LIFE:
                        return 1
                    self._start()
        finally:
            self._stop()

    def _start(self) -> None:
        worker = self._spawn.Process(target=_work, args=(self._settings, self._listener), name="worker")
        worker.start()
        self._started[worker] = time.monotonic()

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._started:
            worker.terminate()
        for worker in self._started:
            worker.join(max(0.0, deadline - time.monotonic()))
            worker.kill()
            worker.join()
