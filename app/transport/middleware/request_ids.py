"""Request ids: the client's own or a new one, in every log line and in the response."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.transport.errors import Header

REQUEST_ID_HEADER = b"x-request-id"
VALID_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")


def client_request_id(headers: Sequence[Header]) -> bytes | None:
    """Return the id that a client gave its request, if it is valid."""
    given = next((value for name, value in headers if name == REQUEST_ID_HEADER), b"")
    return given if VALID_REQUEST_ID.fullmatch(given) else None


class RequestIds:
    """ASGI middleware: puts the id into `scope["state"]["request_id"]`, the logs and the response; opens a span."""

    def __init__(self, app: ASGIApp, make_request_id: Callable[[], str], tracer: Any = None) -> None:
        """Wrap `app`. `make_request_id` names requests without an id; `tracer` is OpenTelemetry's, or None."""
        self.app = app
        self._make_request_id = make_request_id
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with an id."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = client_request_id(scope["headers"]) or self._make_request_id().encode()
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, request_id)]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        with self._span(scope):
            await self.app(scope, receive, send_with_id)

    def _span(self, scope: Scope) -> Any:
        if self._tracer is None:
            return nullcontext()
        return self._tracer.start_as_current_span(f"{scope.get('method', 'WS')} {scope['path']}")
