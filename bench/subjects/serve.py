"""Run one of the Python servers on the socket whose descriptor is `LISTEN_FD`."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import uvicorn

from app.cli.process.descriptors import raise_descriptor_limit


def ours() -> uvicorn.Server:
    """Return the service with its production configuration."""
    from app.config import load_settings
    from app.server import Server, config
    from app.telemetry.logging import configure_logging

    settings = load_settings(_env_file=None)
    configure_logging(settings.log_level, json=True)
    return Server(config(settings))


def unmeasured() -> uvicorn.Server:
    """Return the service without what it counts and measures for its metrics at each request, statement and call."""
    from app.stores.postgres import Database
    from app.telemetry.metrics.histogram import Histogram
    from app.telemetry.metrics.loop_lag import EventLoopLag
    from app.transport.operation_metrics import OperationMetrics
    from app.transport.sockets.connections import Traffic

    def nothing(*_: object, **__: object) -> None: ...

    async def never(_: object) -> None:
        await asyncio.Event().wait()

    for owner, method in (
        (Histogram, "observe"),
        (OperationMetrics, "record"),
        (OperationMetrics, "record_response"),
        (Traffic, "count_sent"),
        (Database, "_measure_statements"),
    ):
        setattr(owner, method, nothing)
    setattr(EventLoopLag, "run", never)  # noqa: B010 - as above
    return ours()


def idiomatic() -> uvicorn.Server:
    """Return a server with Strawberry's own view and socket handler and the defaults of uvicorn, without access log."""
    from bench.peers.idiomatic.server import create_app

    return uvicorn.Server(uvicorn.Config(create_app(os.environ), access_log=False, log_level="warning", backlog=4096))


def bare() -> uvicorn.Server:
    """Return a server with Starlette alone, which parses and returns JSON."""
    from bench.peers.bare import create_app

    config = uvicorn.Config(create_app(), access_log=False, log_level="warning", loop="uvloop", http="httptools")
    return uvicorn.Server(config)


SERVERS = {"ours": ours, "unmeasured": unmeasured, "idiomatic": idiomatic, "bare": bare}

if __name__ == "__main__":
    raise_descriptor_limit()
    listener = socket.socket(fileno=int(os.environ["LISTEN_FD"]))
    SERVERS[sys.argv[1]]().run(sockets=[listener])
