"""A cache of request heads: a request whose head is byte for byte a cached one is answered without parsing it.

Clients send the same head with every operation: same path, same host, same media types, same access token. The result
of parsing a head (in uvicorn, the middleware and the endpoint) is the same for the same bytes from the same peer, so it
is computed once; only the body is new. Everything that depends on time is checked for each request: whether the access
token is still valid, whether the address is blocked, and the rate limits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.execution.lru_cache import LRUCache
from app.telemetry.requests import current_request
from app.telemetry.tracing import Tracer
from app.transport.errors import Header
from app.transport.http.cacheable_reply import CACHEABLE_REPLY, HEAD_BYTES, CacheableReply
from app.transport.http.negotiation import AcceptedMediaTypes
from app.transport.http.responses import Reply
from app.transport.middleware.origins import AllowedHosts
from app.transport.middleware.refused_origins import RefusedOrigins
from app.transport.middleware.refused_paths import RefusedPaths
from app.transport.middleware.request_ids import (
    REQUEST_ID_HEADER,
    RequestIds,
    client_request_id,
    request_span,
    set_status,
)
from app.transport.middleware.security_headers import SecurityHeaders

log = structlog.get_logger(__name__)

GRAPHQL_PATH = "/graphql"

MAX_HEADS = 20_000
MAX_HEAD_BYTES = 32 * 1024 * 1024
HEAD_OVERHEAD = 1000
"""About the bytes that a cached head takes besides itself."""

UNCACHEABLE_HEADERS = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer", b"traceparent"})
"""Headers by which a connection, a body or a trace is treated specially. Heads with one of them are not cached."""

ACCOUNTED_MIDDLEWARE: dict[type, str] = {
    RequestIds: "the id is the client's, cached with the head, or a new one; logs get it in `answer`",
    RefusedPaths: "the GraphQL endpoint counts its own refusals",
    AllowedHosts: "the host is part of the head",
    SecurityHeaders: "the headers are part of the cached header patch",
    RefusedOrigins: "the log has a line of the same origin from the request whose head was cached",
    CORSMiddleware: "the origin is part of the head, and the headers are part of the cached header patch",
}
"""The middleware that the cache may bypass, and why. It must not depend on time, count requests, or read bodies."""


class Endpoint(Protocol):
    """Answers operations."""

    async def answer(self, body: bytes, accepted: AcceptedMediaTypes, context: Any) -> Reply:
        """Return the reply to a POST of `body`. Raises nothing."""


class Contexts(Protocol):
    """Derives the context of a request from that of an earlier one with the same head."""

    def enter(self, context: Any) -> None:
        """Let log lines of the current task name the request of `context`."""

    def renew(self, context: Any, request_id: str) -> Any:
        """Return the context of another request like that of `context`, or None when the head must be parsed again."""


@dataclass(frozen=True, slots=True)
class HeaderPatch:
    """The headers that the middleware removed from and added to those of the endpoint."""

    removed: frozenset[Header]
    added: tuple[Header, ...]

    @lru_cache(maxsize=1024)  # noqa: B019 - there are as many as allowed origins
    def status_and_headers(self, status: int, headers: tuple[Header, ...]) -> bytes:
        """Return the status line and headers of a response, without the headers that differ each time."""
        kept = (header for header in headers if header not in self.removed)
        lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())]
        lines += [b"%b: %b" % header for header in (*kept, *self.added)]
        return b"\r\n".join((*lines, b""))


@dataclass(frozen=True, slots=True)
class CachedHead:
    """The result of parsing a request head."""

    peer: str | None
    """The address that the request came from."""
    length: int
    """The length of the body in bytes."""
    accepted: AcceptedMediaTypes
    context: Any
    request_id: str | None
    """The id that the client sent."""
    header_patch: HeaderPatch
    headers: tuple[Header, ...]
    """The headers of a result before the middleware."""
    status_and_headers: bytes
    """The status line and headers of a result after the middleware."""

    def encode(self, reply: Reply, request_id: str, default_headers: Sequence[Header] = ()) -> bytes:
        """Return the bytes of a response, as the middleware and uvicorn would have made them.

        Args:
            reply: The reply of the endpoint.
            request_id: The id of the request.
            default_headers: The headers that the server adds to every response, such as `Date`.
        """
        status, headers, body = reply
        status_and_headers = (
            self.status_and_headers
            if headers is self.headers
            else self.header_patch.status_and_headers(status, headers)
        )
        added = b"".join([b"%b: %b\r\n" % header for header in default_headers])
        name = request_id.encode()
        return b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b" % (
            status_and_headers,
            added,
            name,
            len(body),
            body,
        )


class RequestHeadCache:
    """ASGI middleware, the outermost: caches the heads of requests that pass.

    It caches the head of a POST that was answered with a result free of errors, over a connection that puts the head
    into `scope["state"]`. The cache is bounded, and evicts the least recently used heads.
    """

    def __init__(self, app: ASGIApp, make_request_id: Callable[[], str], tracer: Tracer | None = None) -> None:
        """Wrap `app`. The cache is not usable, and says so in the log, when there is unknown middleware in it.

        Args:
            app: The application with its middleware.
            make_request_id: Names requests that do not bring an id.
            tracer: Traces the requests; None for no traces.
        """
        self.app = app
        self._tracer = tracer
        self.hits = 0
        """How many requests were answered without parsing their head."""
        self.misses = 0
        """How many were not, of those whose head could be cached."""
        unknown = [type(layer).__name__ for layer in middleware_of(app) if type(layer) not in ACCOUNTED_MIDDLEWARE]
        self.is_usable = not unknown
        """False when the cache would bypass middleware that it does not account for."""
        if unknown:
            log.warning("request_head_cache_disabled", unknown_middleware=unknown)
        self._make_request_id = make_request_id
        self._heads: LRUCache[bytes, CachedHead] = LRUCache(MAX_HEADS, MAX_HEAD_BYTES)
        self._endpoint: Endpoint | None = None
        self._contexts: Contexts | None = None

    def open(self, endpoint: Endpoint, contexts: Contexts) -> None:
        """Start to answer requests."""
        self._endpoint, self._contexts = endpoint, contexts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and cache its head when the reply allows it."""
        if HEAD_BYTES not in scope.get("state", ()):
            await self.app(scope, receive, send)
            return

        async def send_and_cache(message: Message) -> None:
            if message["type"] == "http.response.start" and CACHEABLE_REPLY in scope["state"]:
                self._put(scope, scope["state"][CACHEABLE_REPLY], message["headers"])
            await send(message)

        await self.app(scope, receive, send_and_cache)

    def find(self, head: bytes, length: int, peer: str | None) -> tuple[CachedHead, str, Any] | None:
        """Return a cached head with the id and the context of a new request, or None when it must be parsed.

        Args:
            head: The bytes of the head.
            length: The length of the body in bytes.
            peer: The address that the request came from.
        """
        cached = self._heads.get(head)
        if cached is None or cached.length != length or cached.peer != peer:
            self.misses += 1
            return None
        assert self._contexts is not None
        request_id = cached.request_id or self._make_request_id()
        context = self._contexts.renew(cached.context, request_id)
        if context is None:
            self.misses += 1
            return None
        return cached, request_id, context

    def answer(self, cached: CachedHead, request_id: str, context: Any, body: bytes) -> Awaitable[Reply]:
        """Answer a request whose head was found: return the endpoint's coroutine, which raises nothing."""
        assert self._endpoint is not None
        self.hits += 1
        assert self._contexts is not None
        self._contexts.enter(context)
        answer = self._endpoint.answer(body, cached.accepted, context)
        return answer if self._tracer is None else self._traced(self._tracer, answer)

    async def _traced(self, tracer: Tracer, answer: Awaitable[Reply]) -> Reply:
        # A head that names a trace is never cached, so this is the first span of a trace.
        facts = current_request.get()
        assert facts is not None
        with request_span(tracer, "POST", GRAPHQL_PATH, facts) as span:
            reply = await answer
            set_status(span, reply.status)
        return reply

    def _put(self, scope: Scope, cacheable: CacheableReply, sent: Sequence[Header]) -> None:
        head, headers = scope["state"][HEAD_BYTES], dict(scope["headers"])
        length, connection = headers.get(b"content-length", b""), headers.get(b"connection", b"keep-alive")
        is_usual = scope["http_version"] == "1.1" and connection.lower() == b"keep-alive" and length.isdigit()
        if self._endpoint is None or not is_usual or not UNCACHEABLE_HEADERS.isdisjoint(headers):
            return
        before, client = cacheable.reply.headers, scope["client"]
        after = tuple(header for header in sent if header[0] not in (REQUEST_ID_HEADER, b"content-length"))
        header_patch = _header_patch(before, after)
        request_id = client_request_id(scope["headers"])
        cached = CachedHead(
            client[0] if client else None,
            int(length),
            cacheable.accepted,
            cacheable.context,
            request_id.decode() if request_id else None,
            header_patch,
            before,
            header_patch.status_and_headers(cacheable.reply.status, before),
        )
        self._heads.put(head, cached, len(head) + HEAD_OVERHEAD)


def middleware_of(app: ASGIApp) -> Iterator[ASGIApp]:
    """Yield the layers of middleware from the outermost to the innermost, without the application inside.

    A layer of middleware is an object with the next layer as its attribute `app`, as in Starlette. The middleware of a
    Starlette router is found as well.
    """
    layer: Any = app
    while True:
        inner = getattr(layer, "middleware_stack", None) or getattr(layer, "app", None)
        if inner is None or getattr(inner, "__self__", None) is layer:
            return
        if not hasattr(layer, "middleware_stack"):
            yield layer
        layer = inner


@lru_cache(maxsize=1024)
def _header_patch(before: tuple[Header, ...], after: tuple[Header, ...]) -> HeaderPatch:
    return HeaderPatch(frozenset(before) - frozenset(after), tuple(header for header in after if header not in before))
