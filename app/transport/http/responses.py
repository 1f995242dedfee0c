"""HTTP replies and their status (GraphQL over HTTP).

| reply                                    | application/graphql-response+json | application/json |
|------------------------------------------|-----------------------------------|------------------|
| has a `data` entry, even null            | 200                               | 200              |
| nothing but UNAUTHENTICATED at fields    | 401 + WWW-Authenticate            | 200 + the header |
| no `data`: refused document or variables | 400                               | 200              |
| no `data`: UNAUTHENTICATED               | 401 + WWW-Authenticate            | 200 + the header |
| no `data`: FORBIDDEN                     | 403                               | 200              |
| no `data`: RATE_LIMITED                  | 429 + Retry-After                 | 200 + the header |
| no `data`: SERVICE_UNAVAILABLE           | 503 + Retry-After                 | 200 + the header |
| no `data`: INTERNAL_SERVER_ERROR         | 500                               | 200              |
| no `data`: PERSISTED_QUERY_NOT_FOUND     | 200: the client sends it next     | 200              |
| not a GraphQL request at all             | 4xx                               | 4xx              |

`application/json` keeps 200 for every well-formed request because its clients take other statuses for replies of an
intermediary and do not read the body.
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
from app.transport.http.negotiation import EVENT_STREAM, GRAPHQL_RESPONSE, JSON, AcceptedMediaTypes
from app.transport.http.stream_framing import SSE_FRAMING

STATUS_OF_CODE = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.SERVICE_UNAVAILABLE: 503,
    ErrorCode.INTERNAL_SERVER_ERROR: 500,
    # As Apollo Server does. They are steps of a protocol and not errors, and browsers log every other status as one.
    ErrorCode.PERSISTED_QUERY_NOT_FOUND: 200,
    ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED: 200,
}

CONTENT_TYPE: dict[str, Header] = {
    media: (b"content-type", f"{media}; charset=utf-8".encode()) for media in (GRAPHQL_RESPONSE, JSON)
}
VARY: Header = (b"vary", b"Accept")
NO_STORE: Header = (b"cache-control", b"no-store")
# The reply depends on the caller: a shared cache must not store it, a private one must revalidate it each time.
REVALIDATE: tuple[Header, ...] = ((b"cache-control", b"private, no-cache"), (b"vary", b"Accept, Authorization"))


class Reply(NamedTuple):
    """A complete HTTP response. `Content-Length` is added when it is sent, except to 304, which has no body."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Send the response; `without_body` for a HEAD request."""
        headers = list(self.headers)
        if self.status != 304:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})


RESULT_HEADERS = {media: (CONTENT_TYPE[media], VARY, NO_STORE) for media in (GRAPHQL_RESPONSE, JSON)}


def data_reply(body: bytes, accepted: AcceptedMediaTypes) -> Reply:
    """Return the reply for a response with a `data` entry."""
    if accepted.result is None:
        return _stream_of_one(body)
    return Reply(200, RESULT_HEADERS[accepted.result], body)


def partial_reply(body: bytes, accepted: AcceptedMediaTypes) -> Reply:
    """Return the reply for a response with `data` and errors.

    Its status is 200, with `Retry-After` where an error says to wait; 401 if only an access token was missing.
    """
    reply, response = data_reply(body, accepted), json.loads(body)
    status = 401 if accepted.result == GRAPHQL_RESPONSE and _only_needs_access_token(response) else 200
    return reply._replace(status=status, headers=(*reply.headers, *_headers_of_error(response["errors"][0])))


def error_reply(body: bytes, accepted: AcceptedMediaTypes) -> Reply:
    """Return the reply for a response without `data`."""
    if accepted.result is None and accepted.stream == EVENT_STREAM:
        return _stream_of_one(body)
    media = accepted.result or GRAPHQL_RESPONSE
    error = _first_error(body)
    status = STATUS_OF_CODE.get(_extensions(error).get("code", ""), 400) if media == GRAPHQL_RESPONSE else 200
    return Reply(status, (*RESULT_HEADERS[media], *_headers_of_error(error)), body)


def bad_request_reply(error: BadRequest, accepted: AcceptedMediaTypes) -> Reply:
    """Return the reply to a request that is not a GraphQL request: its own status, and JSON for every client."""
    body = error_body({"message": error.message, "extensions": {"code": error.code}})
    return Reply(error.status, (*RESULT_HEADERS[accepted.result or JSON], *error.headers), body)


def error_body(error: Mapping[str, Any]) -> bytes:
    """Encode one formatted error as a response without `data`."""
    return orjson.dumps({"errors": [error]}, default=str)


def with_etag(reply: Reply, if_none_match: bytes | None) -> Reply:
    """Return a reply with its weak ETag, or 304 when the client has the same."""
    tag = b'W/"%s"' % blake2b(reply.body, digest_size=12).hexdigest().encode()
    headers: tuple[Header, ...] = ((b"etag", tag), *REVALIDATE)
    if if_none_match is not None and _matches(tag, if_none_match):
        return Reply(304, headers, b"")
    return Reply(200, (reply.headers[0], *headers), reply.body)


def _matches(tag: bytes, if_none_match: bytes) -> bool:
    # Weak comparison: a compressing proxy turns strong tags weak and may drop the prefix of weak ones.
    opaque = tag.removeprefix(b"W/")
    held = (candidate.strip().removeprefix(b"W/") for candidate in if_none_match.split(b","))
    return any(candidate in (opaque, b"*") for candidate in held)


def _stream_of_one(body: bytes) -> Reply:
    headers = ((b"content-type", SSE_FRAMING.content_type), VARY, NO_STORE)
    return Reply(200, headers, SSE_FRAMING.result(body) + SSE_FRAMING.closing)


def _only_needs_access_token(response: dict[str, Any]) -> bool:
    """Return whether no field was answered, each for want of an access token."""
    data, errors = response["data"], response["errors"]
    if any(_extensions(error).get("code") != ErrorCode.UNAUTHENTICATED for error in errors):
        return False
    refused = {error["path"][0] for error in errors if error.get("path")}
    return data is None or all(value is None and name in refused for name, value in data.items())


def _first_error(body: bytes) -> dict[str, Any]:
    # Decoded from the bytes, so that status and headers always agree with the body.
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
