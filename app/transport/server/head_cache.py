"""Known heads: a request whose head came before, byte for byte, is answered without being taken apart again.

Clients send the same head with every operation: same path, same host, same media types, same access token. What the
long way (uvicorn's cycle, the middleware, the endpoint) finds out from a head cannot come out differently for the same
bytes from the same peer, so it is found out once; only the body is new. What time changes is asked each time: whether
the access token is still good, whether the address is blocked, and how much of the limits is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.execution.lru_cache import LRUCache
from app.transport.errors import Header
from app.transport.http.negotiation import Accepted
from app.transport.http.responses import Reply
from app.transport.middleware.request_ids import HEADER as REQUEST_ID
from app.transport.middleware.request_ids import given_id

HEADS = 20_000
BYTES = 32 * 1024 * 1024
OVERHEAD = 1000
"""About the bytes that a known head takes besides itself."""

HEAD_BYTES, CACHEABLE_REPLY = "head", "answered"
"""Places in `scope["state"]`: the head's bytes, put there by the connection; what the endpoint made of it."""

# What makes a connection, a body or a trace special stays on the long way.
SPECIAL = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer", b"traceparent"})


class CacheableReply(NamedTuple):
    """A request that was answered with a result, and may come again with another body."""

    reply: Reply
    """As the endpoint had it, before any middleware."""
    accepted: Accepted
    context: Any


class Endpoint(Protocol):
    """Answers operations."""

    async def answer(self, body: bytes, accepted: Accepted, context: Any) -> Reply:
        """The reply to a POST with this body. Raises nothing."""


class Contexts(Protocol):
    """Makes contexts of contexts."""

    def renew(self, context: Any, request_id: str) -> Any:
        """The context of one more request like that of `context`, or None when that must be looked into anew."""


@dataclass(frozen=True, slots=True)
class HeaderPatch:
    """What the middleware makes of the endpoint's headers."""

    removed: frozenset[Header]
    added: tuple[Header, ...]

    @lru_cache(maxsize=1024)  # noqa: B019 - there are as many as allowed origins
    def status_and_headers(self, status: int, headers: tuple[Header, ...]) -> bytes:
        """Status line and headers of a response, but for the headers that differ each time."""
        kept = (header for header in headers if header not in self.removed)
        lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())]
        lines += [b"%b: %b" % header for header in (*kept, *self.added)]
        return b"\r\n".join((*lines, b""))


@dataclass(frozen=True, slots=True)
class CachedHead:
    """What is known of a head. `length` is that of the body in bytes, `peer` the address it came from."""

    peer: str | None
    length: int
    accepted: Accepted
    context: Any
    request_id: str | None
    """The one that the client gave."""
    header_patch: HeaderPatch
    headers: tuple[Header, ...]
    """Those of a plain result, and in `status_and_headers` as they go out."""
    status_and_headers: bytes


class RequestHeadCache:
    """ASGI middleware, the outermost: learns from requests that pass, so that the next ones need not.

    Learns only from a POST that was answered with a result free of errors, over a connection that offers the head in
    `scope["state"]`. What is remembered is bounded; what was used longest ago is forgotten first.
    """

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        """`new_id` names requests that do not bring an id."""
        self.hits = 0
        """How many requests did not have to pass."""
        self._app = app
        self._new_id = new_id
        self._known: LRUCache[bytes, CachedHead] = LRUCache(HEADS, BYTES)
        self._endpoint: Endpoint | None = None
        self._contexts: Contexts | None = None

    def open(self, endpoint: Endpoint, contexts: Contexts) -> None:
        """From now on requests can be answered."""
        self._endpoint, self._contexts = endpoint, contexts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and learn from it."""
        if HEAD_BYTES not in scope.get("state", ()):
            await self._app(scope, receive, send)
            return

        async def learning(message: Message) -> None:
            if message["type"] == "http.response.start" and CACHEABLE_REPLY in scope["state"]:
                self._learn(scope, scope["state"][CACHEABLE_REPLY], message["headers"])
            await send(message)

        await self._app(scope, receive, learning)

    def find(self, head: bytes, length: int, peer: str | None) -> tuple[CachedHead, str, Any] | None:
        """What is known of a head from `peer` before a body of `length` bytes; and id and context of the new request.

        None when the request has to take the long way.
        """
        known = self._known.get(head)
        if known is None or known.length != length or known.peer != peer:
            return None
        assert self._contexts is not None
        request_id = known.request_id or self._new_id()
        context = self._contexts.renew(known.context, request_id)
        return None if context is None else (known, request_id, context)

    async def answer(self, known: CachedHead, request_id: str, context: Any, body: bytes) -> bytes:
        """The whole response to a request that was found. Raises nothing."""
        assert self._endpoint is not None
        self.hits += 1
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status, headers, content = await self._endpoint.answer(body, known.accepted, context)
        status_and_headers = (
            known.status_and_headers
            if headers is known.headers
            else known.header_patch.status_and_headers(status, headers)
        )
        name = request_id.encode()
        return b"%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b" % (status_and_headers, name, len(content), content)

    def _learn(self, scope: Scope, answered: CacheableReply, sent: Sequence[Header]) -> None:
        head, headers = scope["state"][HEAD_BYTES], dict(scope["headers"])
        length, connection = headers.get(b"content-length", b""), headers.get(b"connection", b"keep-alive")
        is_usual = scope["http_version"] == "1.1" and connection.lower() == b"keep-alive" and length.isdigit()
        if self._endpoint is None or not is_usual or not SPECIAL.isdisjoint(headers):
            return
        own, client = answered.reply.headers, scope["client"]
        final = tuple(header for header in sent if header[0] not in (REQUEST_ID, b"content-length"))
        header_patch = _header_patch(own, final)
        given = given_id(scope["headers"])
        known = CachedHead(
            client[0] if client else None,
            int(length),
            answered.accepted,
            answered.context,
            given.decode() if given else None,
            header_patch,
            own,
            header_patch.status_and_headers(answered.reply.status, own),
        )
        self._known.put(head, known, len(head) + OVERHEAD)


@lru_cache(maxsize=1024)
def _header_patch(own: tuple[Header, ...], final: tuple[Header, ...]) -> HeaderPatch:
    return HeaderPatch(frozenset(own) - frozenset(final), tuple(header for header in final if header not in own))
