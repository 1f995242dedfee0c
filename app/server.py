"""The server: uvicorn, set up so that no client can hold it and a restart loses nothing."""

from __future__ import annotations

import gc
import socket
from collections.abc import Awaitable, Callable
from types import FrameType

import uvicorn

from app.config import Settings
from app.main import create_app
from app.telemetry.logging import configure_logging
from app.telemetry.reporting import report_errors
from app.transport.server.http_protocol import BoundedHttpProtocol
from app.transport.sockets.websocket_protocol import SocketProtocol

GRACE = 10
"""Seconds from SIGTERM to the end, whatever clients do."""


class Server(uvicorn.Server):
    """Tells the application first when it is time to go: open streams would hold up the rest."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object] = lambda: None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and then take everything that lives as long as the process out of the collector's sight."""
        await super().startup(sockets)
        if self.should_exit:
            return
        gc.collect()
        gc.freeze()
        # Thousands of sockets are no garbage: with the default thresholds a third of the time goes into looking.
        gc.set_threshold(50_000, 50, 1000)
        self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order, once. A signal that comes twice, from a terminal and from `make`, must not cut that short."""
        if not self.should_exit:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order: readiness and streams, sockets, requests under way, the application."""
        for server in self.servers:
            server.close()
        stop: Callable[[], Awaitable[None]] | None = self.lifespan.state.get("stop")
        if stop is not None:
            await stop()
        await super().shutdown(sockets)


def config(settings: Settings, app: object | None = None) -> uvicorn.Config:
    """Return the configuration of uvicorn for `app`, or for the service itself."""
    return uvicorn.Config(
        app or create_app(settings),  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=BoundedHttpProtocol,
        ws=SocketProtocol,
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        ws_ping_interval=settings.ws_heartbeat_interval,
        ws_ping_timeout=settings.ws_heartbeat_timeout,
        timeout_graceful_shutdown=GRACE,
        backlog=4096,
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_config=None,
    )


def set_up_process(settings: Settings) -> None:
    """Configure logs and error reports, once per process and before anything is served."""
    configure_logging(settings.log_level, json=settings.is_production)
    if settings.sentry_dsn is not None:
        report_errors(settings.sentry_dsn.get_secret_value(), settings.environment.value)
