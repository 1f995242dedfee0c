"""Worker processes: several servers behind one listening socket."""

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

STOP_SECONDS = SHUTDOWN_TIMEOUT_SECONDS + 5.0


def serve_alone(settings: Settings, listener: socket.socket, on_ready: Callable[[], object] = lambda: None) -> None:
    """Serve in this process until a signal comes, which is raised again at the end."""
    set_up_process(settings)
    Server(config(settings), on_ready).run([listener])


def _work(settings: Settings, listener: socket.socket, ready: Event) -> None:
    """The life of a worker. A signal ends it in order, and so does the end of its parent."""
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who tells its workers.

    def tell() -> None:
        ready.set()
        log.info("worker_serves", pid=os.getpid())

    try:
        serve_alone(settings, listener, tell)
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
        self._ready: dict[SpawnProcess, Event] = {}

    def run(self) -> int:
        """Serve until KeyboardInterrupt, or until a worker cannot start: then the exit code is 1."""
        set_up_process(self._settings)
        try:
            for _ in range(self._settings.workers):
                self._start()
            while True:
                wait([worker.sentinel for worker in self._ready])
                for worker in [worker for worker in self._ready if not worker.is_alive()]:
                    log.error("worker_ended", exit_code=worker.exitcode)
                    if not self._ready.pop(worker).is_set():
                        return 1  # It never served, and a second one would end the same way.
                    self._start()
        finally:
            self._stop()

    def _start(self) -> None:
        ready = self._spawn.Event()
        worker = self._spawn.Process(target=_work, args=(self._settings, self._listener, ready), name="worker")
        worker.start()
        self._ready[worker] = ready

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._ready:
            worker.terminate()
        for worker in self._ready:
            worker.join(max(0.0, deadline - time.monotonic()))
            worker.kill()
            worker.join()
