"""The log of pages that may not call the service: their browsers show "Failed to fetch", which names no cause."""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.runtime import Runtime
from app.telemetry.bounded_log import BoundedLog
from app.transport.middleware.origins import Origins

MAX_LOGGED_ORIGIN = 200
"""Characters of an origin that are logged."""

ADVICE = "ALLOWED_ORIGINS must contain the origin for its pages to call the service"


class RefusedOrigins:
    """ASGI middleware: logs requests and handshakes from origins that are not allowed, and passes them on.

    The policy itself is enforced by browsers and by `CORSMiddleware`, and for sockets by their endpoint.
    """

    def __init__(self, app: ASGIApp, origins: Origins, runtime: Runtime) -> None:
        self.app = app
        self._origins = origins
        self._log = BoundedLog(structlog.get_logger(__name__), runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, and log it if its origin is not allowed."""
        if scope["type"] != "lifespan" and not self._origins.allows(scope):
            origin = dict(scope["headers"])[b"origin"].decode("latin-1")[:MAX_LOGGED_ORIGIN]
            self._log.info("origin_refused", key=origin, origin=origin, path=scope["path"], advice=ADVICE)
        await self.app(scope, receive, send)
