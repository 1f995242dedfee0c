"""The server: uvicorn, configured so that slow clients cannot block it and a restart loses no requests."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from app.config import Settings
from app.main import create_app
from app.telemetry.logging import configure_logging
from app.telemetry.metrics.workers import Worker
from app.telemetry.redaction import Redaction
from app.telemetry.reporting import ErrorReports, flush_reports
from app.transport.server.http_protocol import BoundedHttpProtocol
from app.transport.sockets.websocket_protocol import SocketProtocol

SHUTDOWN_TIMEOUT_SECONDS = 10
"""Seconds from SIGTERM to the end of the process, whatever clients do."""


DRAIN_SECONDS = 1.0
"""Seconds for which connections without a request stay open after the server has stopped listening."""


class Server(uvicorn.Server):
    """uvicorn's server, which stops the application first: open streams would block the rest of the shutdown."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object] = lambda: None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and exclude all present objects from garbage collection: they live as long as the process."""
        await super().startup(sockets)
        if self.should_exit:
            return
        await self.on_tick(0)  # Sets the `Date` of responses, which the main loop then renews every second.
        gc.collect()
        gc.freeze()
        # With the default thresholds and thousands of sockets, garbage collection takes a third of the time.
        gc.set_threshold(50_000, 50, 1000)
        self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop once. A second signal, as from a terminal and `make` at once, must not interrupt the shutdown."""
        if not self.should_exit:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order: listening, readiness and sockets, streams, requests under way, the application."""
        # A connection that waits to be accepted would be reset, with the request that a proxy has sent on it.
        await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        stop: Callable[[], Awaitable[None]] | None = self.lifespan.state.get("stop")
        if stop is not None:
            await stop()
        await self._drain()
        await super().shutdown(sockets)
        await asyncio.to_thread(flush_reports)

    async def _drain(self) -> None:
        """Answer the next request of each connection that a client or a proxy keeps open, and close it then.

        A proxy may be sending a request on it at this moment. If it were closed at once, the request would be lost: a
        proxy must not repeat a POST.
        """
        connections = self.server_state.connections
        for connection in list(connections):
            if isinstance(connection, BoundedHttpProtocol):
                connection.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while connections:  # noqa: ASYNC110 - uvicorn announces no closed connection
                    await asyncio.sleep(0.01)


def config(settings: Settings, app: object | None = None, worker: Worker | None = None) -> uvicorn.Config:
    """Return uvicorn's configuration for `app`, or for the service itself, which may be one of several workers."""
    return uvicorn.Config(
        app or create_app(settings, worker=worker),  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=BoundedHttpProtocol,
        ws=SocketProtocol,
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        ws_ping_interval=settings.ws_heartbeat_interval,
        ws_ping_timeout=settings.ws_heartbeat_timeout,
        timeout_keep_alive=settings.http_keep_alive,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
        backlog=4096,
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )


def set_up_process(settings: Settings) -> None:
    """Configure logs, and error reports where a DSN is set. Call it once per process, before serving."""
    secrets = settings.secret_texts
    reports = None
    if settings.sentry_dsn is not None:
        dsn = settings.sentry_dsn.get_secret_value()
        reports = ErrorReports(dsn, settings.environment.value, Redaction(secrets))
    configure_logging(settings.log_level, json=settings.is_production, secrets=secrets, report_error=reports)
