"""Run the service that is attacked, with a monitor of its event loop.

The settings come from the environment, and `LISTEN_FD` is the descriptor of the listening socket. At the end, the
longest iteration of the loop in seconds is printed. The log is written to standard error.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

from app.config import load_settings
from app.server import Server, config
from app.telemetry.logging import configure_logging
from bench.attack.loop_lag import LoopLagMonitor


def main() -> None:
    """Serve until SIGTERM."""
    settings = load_settings(_env_file=None)
    configure_logging(settings.log_level, json=True)
    monitor, watching = LoopLagMonitor(), []

    def ready() -> None:
        watching.append(asyncio.ensure_future(monitor.watch()))

    # uvicorn raises the signal again when it has stopped, before the result is printed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    Server(config(settings), on_ready=ready).run(sockets=[socket.socket(fileno=int(os.environ["LISTEN_FD"]))])
    sys.stdout.write(f"{monitor.max_lag}\n")


if __name__ == "__main__":
    main()
