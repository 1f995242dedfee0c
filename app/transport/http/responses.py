"""What goes back over HTTP, and with which status (GraphQL over HTTP).

| answer                                   | application/graphql-response+json | application/json |
|------------------------------------------|-----------------------------------|------------------|
| has a `data` entry, even null            | 200                               | 200              |
| no `data`: refused document or variables | 400                               | 200              |
| no `data`: UNAUTHENTICATED               | 401 + WWW-Authenticate            | 200 + the header |
| no `data`: FORBIDDEN                     | 403                               | 200              |
| no `data`: RATE_LIMITED                  | 429 + Retry-After                 | 200 + the header |
| no `data`: SERVICE_UNAVAILABLE           | 503 + Retry-After                 | 200 + the header |
| no `data`: INTERNAL_SERVER_ERROR         | 500                               | 200              |
| not a GraphQL request at all             | 4xx                               | 4xx              |

`application/json` keeps 200 for every well-formed request because its readers take other statuses for
answers of something in between and do not look into the body.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from starlette.types import Send

from app.error_codes import ErrorCode
from app.transport.errors import BadRequest, Header
from app.transport.http.negotiation import EVENT_STREAM, GRAPHQL_RESPONSE, JSON, Accepted
from app.transport.http.stream_framing import EVENTS

STATUS_OF_CODE = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.SERVICE_UNAVAILABLE: 503,
    ErrorCode.INTERNAL_SERVER_ERROR: 500,
}

CONTENT_TYPE: dict[str, Header] = {
    media: (b"content-type", f"{media}; charset=utf-8".encode()) for media in (GRAPHQL_RESPONSE, JSON)
}
VARY: Header = (b"vary", b"Accept")
NO_STORE: Header = (b"cache-control", b"no-store")
# Who asks decides what is answered: a shared cache must keep out, a private one must ask each time.
REVALIDATE: tuple[Header, ...] = ((b"cache-control", b"private, no-cache"), (b"vary", b"Accept, Authorization"))


class Reply(NamedTuple):
    """A complete response. `Content-Length` is added when it is sent, except to 304, which describes no body."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Send it whole; `without_body` answers a HEAD request."""
        headers = list(self.headers)
        if self.status != 304:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})


PLAIN = {media: (CONTENT_TYPE[media], VARY, NO_STORE) for media in (GRAPHQL_RESPONSE, JSON)}


def result(body: bytes, accepted: Accepted) -> Reply:
    """A response with a `data` entry."""
    if accepted.result is None:
        return _stream_of_one(body)
    return Reply(200, PLAIN[accepted.result], body)


def partial_result(body: bytes, accepted: Accepted) -> Reply:
    """A response with `data` and errors: 200, but a client told to wait is told so in a header too."""
    reply = result(body, accepted)
    return reply._replace(headers=(*reply.headers, *_headers_of_error(_first_error(body))))


def refusal(body: bytes, accepted: Accepted) -> Reply:
    """A response without `data`."""
    if accepted.result is None and accepted.stream == EVENT_STREAM:
        return _stream_of_one(body)
    media = accepted.result or GRAPHQL_RESPONSE
    error = _first_error(body)
    status = STATUS_OF_CODE.get(_extensions(error).get("code", ""), 400) if media == GRAPHQL_RESPONSE else 200
    return Reply(status, (*PLAIN[media], *_headers_of_error(error)), body)


def malformed(problem: BadRequest, accepted: Accepted) -> Reply:
    """The answer to what is not a GraphQL request: its own status, and JSON whatever was asked for."""
    body = error_body({"message": problem.message, "extensions": {"code": problem.code}})
    return Reply(problem.status, (*PLAIN[accepted.result or JSON], *problem.headers), body)


def error_body(error: Mapping[str, Any]) -> bytes:
    """One formatted error as a response without `data`."""
    return orjson.dumps({"errors": [error]}, default=str)


def revalidated(reply: Reply, if_none_match: bytes | None) -> Reply:
    """A result with its weak ETag, or 304 when the client holds the same."""
    tag = b'W/"%s"' % blake2b(reply.body, digest_size=12).hexdigest().encode()
    headers: tuple[Header, ...] = ((b"etag", tag), *REVALIDATE)
    if if_none_match is not None and _matches(tag, if_none_match):
        return Reply(304, headers, b"")
    return Reply(200, (reply.headers[0], *headers), reply.body)


def _matches(tag: bytes, if_none_match: bytes) -> bool:
    # Weak comparison: a proxy that compresses turns strong tags weak and may drop the prefix of weak ones.
    opaque = tag.removeprefix(b"W/")
    held = (candidate.strip().removeprefix(b"W/") for candidate in if_none_match.split(b","))
    return any(candidate in (opaque, b"*") for candidate in held)


def _stream_of_one(body: bytes) -> Reply:
    headers = ((b"content-type", EVENTS.content_type), VARY, NO_STORE)
    return Reply(200, headers, EVENTS.result(body) + EVENTS.closing)


def _first_error(body: bytes) -> dict[str, Any]:
    # Read back from the bytes, so that status and headers can never say other than the body does.
    error: dict[str, Any] = json.loads(body)["errors"][0]
    return error


def _extensions(error: dict[str, Any]) -> dict[str, Any]:
    return error.get("extensions") or {}


def _headers_of_error(error: dict[str, Any]) -> tuple[Header, ...]:
    extensions = _extensions(error)
    headers: list[Header] = []
    if isinstance(wait := extensions.get("retryAfter"), int):
        headers.append((b"retry-after", b"%d" % wait))
    if extensions.get("code") == ErrorCode.UNAUTHENTICATED:
        expired = b' error="invalid_token", error_description="expired"'
        challenge = b"Bearer" + (expired if extensions.get("reason") == "TOKEN_EXPIRED" else b"")
        headers.append((b"www-authenticate", challenge))
    return tuple(headers)
