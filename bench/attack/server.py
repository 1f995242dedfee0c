"""The service under attack, in a process of its own, with a watchdog in its event loop.

Settings come from the environment, the socket to listen on by number in `LISTEN_FD`. When it has ended it prints the
longest turn of the loop in seconds; what it logs goes to standard error.
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
from bench.attack.loop_lag import Watchdog


def main() -> None:
    """Serve until SIGTERM."""
    settings = load_settings(_env_file=None)
    configure_logging(settings.log_level, json=True)
    watchdog, watching = Watchdog(), []

    def ready() -> None:
        watching.append(asyncio.ensure_future(watchdog.watch()))

    # uvicorn raises the signal again when it has stopped; there is something left to say.
    signal.signal(signal.SIGTERM, lambda *_: None)
    Server(config(settings), on_ready=ready).run(sockets=[socket.socket(fileno=int(os.environ["LISTEN_FD"]))])
    sys.stdout.write(f"{watchdog.longest}\n")


if __name__ == "__main__":
    main()
