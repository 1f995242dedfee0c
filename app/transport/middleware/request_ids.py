"""Request ids: the client's own or a new one, in every log line and in the response. Traces begin here, too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.requests import RefusalLog, RequestFacts, current_request
from app.telemetry.tracing import Span, Tracer, trace_id_of
from app.transport.errors import Header

REQUEST_ID_HEADER = b"x-request-id"
TRACED_PATHS = ("/graphql", "/graphql/")
"""Paths whose requests are traced: probes and files would only be noise."""

VALID_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")


def client_request_id(headers: Sequence[Header]) -> bytes | None:
    """Return the id that a client gave its request, if it is valid."""
    given = next((value for name, value in headers if name == REQUEST_ID_HEADER), b"")
    return given if VALID_REQUEST_ID.fullmatch(given) else None


class RequestIds:
    """ASGI middleware: puts the id into `scope["state"]["request_id"]`, the logs and the response; opens a span."""

    def __init__(
        self,
        app: ASGIApp,
        make_request_id: Callable[[], str],
        refusal_log: RefusalLog | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """Wrap `app`.

        Args:
            app: The next application.
            make_request_id: Names requests without an id.
            refusal_log: Where refusals of the requests are logged.
            tracer: Traces the requests for operations over HTTP; None for no traces.
        """
        self.app = app
        self._make_request_id = make_request_id
        self._refusal_log = refusal_log
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

        facts = RequestFacts(request_id.decode(), self._refusal_log, trace_id_of(scope["headers"]))
        current_request.set(facts)
        if self._tracer is None or scope["type"] != "http" or scope["path"] not in TRACED_PATHS:
            await self.app(scope, receive, send_with_id)
            return
        method = scope["method"]
        with request_span(self._tracer, method, scope["path"], facts, scope["headers"]) as span:

            async def send_with_status(message: Message) -> None:
                if message["type"] == "http.response.start":
                    set_status(span, message["status"])
                await send_with_id(message)

            await self.app(scope, receive, send_with_status)


@contextmanager
def request_span(
    tracer: Tracer, method: str, path: str, facts: RequestFacts, headers: Sequence[Header] = ()
) -> Iterator[Span]:
    """Trace the request of the current task, and let its log lines name the trace.

    Args:
        tracer: Makes the span.
        method: The HTTP method.
        path: The path, which is one of `TRACED_PATHS`.
        facts: What is known of the request.
        headers: Its headers, which may name the caller's trace.
    """
    attributes = {
        "http.request.method": method,
        "http.route": path,
        "url.path": path,
        "leaderboard.request.id": facts.request_id,
    }
    with tracer.request(f"{method} {path}", attributes, headers) as span:
        facts.trace_id = span.trace_id
        yield span


def set_status(span: Span, status: int) -> None:
    """Add the status of the response to the span of a request."""
    span.set({"http.response.status_code": status})
    if status >= 500:
        span.fail(str(status))
