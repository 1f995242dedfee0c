"""Hostile HTTP requests."""

from __future__ import annotations

import gzip
import json
from typing import NamedTuple
from urllib.parse import urlencode

JSON = {"content-type": "application/json"}
GOOD = b'{"query":"{ categories { id } }"}'
MUTATION = "mutation { openSigningSession { __typename } }"


class Request(NamedTuple):
    """An HTTP request to the endpoint; if `refused`, the status must be 4xx."""

    name: str
    method: str = "POST"
    query: str = ""
    headers: dict[str, str] = JSON
    body: bytes = b""
    refused: bool = True


def post(name: str, body: bytes | str | object, refused: bool = True, **headers: str) -> Request:
    """Return a POST of raw bytes, or of an object as JSON."""
    if not isinstance(body, bytes):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(name, headers=JSON | named, body=body, refused=refused)


def get(name: str, refused: bool = True, headers: dict[str, str] | None = None, **query: str) -> Request:
    """Return a GET with a query string."""
    return Request(
        name, "GET", urlencode(query), {"apollo-require-preflight": "1"} if headers is None else headers, b"", refused
    )


def bodies() -> list[Request]:
    """Return requests whose bodies are not GraphQL requests."""
    query = "{ categories { id } }"
    return [
        post("empty", b""),
        post("blank", b"  \n"),
        post("null", b"null"),
        post("number", b"7"),
        post("string", b'"{ categories { id } }"'),
        post("true", b"true"),
        post("empty batch", b"[]"),
        post("batch", [{"query": query}] * 2),
        post("batch of a thousand", [{"query": "{__typename}"}] * 1000),
        post("deep array", b"[" * 60_000),
        post("deep object", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        post("deep variables", b'{"query":"{__typename}","variables":{"a":' + b"[" * 2000 + b"]" * 2000 + b"}}"),
        post("cut off", b'{"query":"{ cat'),
        post("comment", b'{"query":"{__typename}"/**/}'),
        post("trailing comma", b'{"query":"{__typename}",}'),
        post("two documents", b'{"query":"{__typename}"}{"query":"{__typename}"}'),
        post("single quotes", b"{'query':'{__typename}'}"),
        post("bytes", bytes(range(256))),
        post("invalid UTF-8", b'{"query":"{ __typename }\xff"}'),
        post("overlong UTF-8", b'{"query":"\xc0\xaf"}'),
        post("UTF-16", '{"query":"{__typename}"}'.encode("utf-16")),
        post("lone surrogate", b'{"query":"\\ud800"}'),
        post("NaN", b'{"query":"{__typename}","variables":{"a":NaN}}'),
        post("infinite number", b'{"query":"{__typename}","variables":{"a":1e999}}'),
        post("long number", b'{"query":"{__typename}","variables":{"a":' + b"9" * 6000 + b"}}", refused=False),
        post("query twice", b'{"query":"{__typename}","query":"{me{openTokens}}"}'),
        post("query twice, one escaped", b'{"query":"{__typename}","qu\\u0065ry":"{me{openTokens}}"}'),
        post("too long", b'{"query":"' + b" " * 70_000 + b'"}'),
        post("no query", {}),
        post("null query", {"query": None}),
        post("empty query", {"query": ""}),
        post("query of a number", {"query": 7}),
        post("query of a list", {"query": [query]}),
        post("query of an object", {"query": {"a": 1}}),
        post("variables of text", {"query": query, "variables": "{}"}),
        post("variables of a list", {"query": query, "variables": []}),
        post("variables of a number", {"query": query, "variables": 1}),
        post("name of a number", {"query": query, "operationName": 1}),
        post("name of a list", {"query": query, "operationName": ["a"]}),
        post("unknown name", {"query": query, "operationName": "Nobody"}),
        post("extensions of a list", {"query": query, "extensions": []}),
        post("extensions of text", {"query": query, "extensions": "x"}),
        post("odd persisted query", {"query": query, "extensions": {"persistedQuery": 1}}),
        post(
            "persisted query of version 2", {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}}
        ),
        post("persisted query without hash", {"extensions": {"persistedQuery": {"version": 1}}}),
        post(
            "persisted query of another hash",
            {"query": query, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
        ),
        # Not refused: the client is told to send the document next.
        post(
            "unknown persisted query",
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
            refused=False,
        ),
        post("unknown document", {"documentId": "../../../etc/passwd"}),
        post("odd document", {"documentId": {}}),
        post("document and query", {"documentId": "x", "query": query}),
        post("tracing asked for", {"query": query, "extensions": {"tracing": True}}, refused=False),
        post(
            "subscription without a stream",
            {"query": "subscription { leaderboardUpdates { version } }"},
            accept="application/json",
        ),
    ]


def headers() -> list[Request]:
    """Headers and methods that do not fit."""
    form = urlencode({"query": "{__typename}"}).encode()
    return [
        Request("form", headers={"content-type": "application/x-www-form-urlencoded"}, body=form),
        Request(
            "form of a mutation",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode({"query": MUTATION}).encode(),
        ),
        Request("multipart", headers={"content-type": "multipart/form-data; boundary=x"}, body=b"--x--"),
        Request("plain text", headers={"content-type": "text/plain"}, body=GOOD),
        Request("no content type", headers={}, body=GOOD),
        Request("application/graphql", headers={"content-type": "application/graphql"}, body=b"{__typename}"),
        Request("XML", headers={"content-type": "application/xml"}, body=b"<a/>"),
        Request("odd content type", headers={"content-type": ";;;=,"}, body=GOOD),
        Request("UTF-16 charset", headers={"content-type": "application/json; charset=utf-16"}, body=GOOD),
        post("gzip", gzip.compress(GOOD), content_encoding="gzip"),
        post("gzip bomb", gzip.compress(b" " * 10_000_000), content_encoding="gzip"),
        post("unknown encoding", GOOD, content_encoding="rot13"),
        post("type nobody speaks", GOOD, accept="image/png"),
        post("odd accept", GOOD, accept=";q=x,,,"),
        post("endless accept", GOOD, refused=False, accept=", ".join(f"a/{n}" for n in range(1000)) + ", */*"),
        post("foreign host", GOOD, host="evil.example"),
        post("odd host", GOOD, host="::: evil"),
        post("forwarded by nobody", GOOD, refused=False, x_forwarded_for="x" * 5000),
        post("method override", GOOD, refused=False, x_http_method_override="DELETE"),
        *(
            Request(method, method, headers=JSON, body=GOOD)
            for method in ("PUT", "DELETE", "PATCH", "PROPFIND", "TRACE")
        ),
        Request("HEAD of nothing", "HEAD", headers=JSON),
    ]


def query_strings() -> list[Request]:
    """GET requests that are none."""
    return [
        get("GET of nothing"),
        get("GET of a mutation", query=MUTATION),
        get("GET of a form", headers={}, query="{__typename}"),
        get("GET by an image", headers={"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, query="{__typename}"),
        get("GET of a subscription", query="subscription { leaderboardUpdates { version } }"),
        get("GET of odd variables", query="{__typename}", variables="{"),
        get("GET of a list of variables", query="{__typename}", variables="[]"),
        get("GET of odd extensions", query="{__typename}", extensions="7"),
        Request("GET twice", "GET", "query={__typename}&query={me{openTokens}}", {"apollo-require-preflight": "1"}),
        Request("GET of bytes", "GET", "query=%ff%fe", {"apollo-require-preflight": "1"}),
        Request(
            "GET of many pairs", "GET", "&".join(f"a{n}=1" for n in range(5000)), {"apollo-require-preflight": "1"}
        ),
        get("long GET", query="{" + " " * 60_000 + "}"),
        get(
            "GET of an unknown persisted query",
            refused=False,
            extensions=json.dumps({"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}),
        ),
    ]


def requests() -> list[Request]:
    """All of them."""
    return [*bodies(), *headers(), *query_strings()]


def _raw(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join((lines[0], "Host: localhost", *lines[1:], "", "")).encode("latin-1") + body


KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")
GET, POST = "GET /graphql HTTP/1.1", "POST /graphql HTTP/1.1"
CHUNKED = "Transfer-Encoding: chunked"

RAW = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "HTTP/0.9": b"GET /graphql\r\n\r\n",
    "invented method": _raw("FROBNICATE /graphql HTTP/1.1"),
    "no host": b"GET /graphql HTTP/1.1\r\n\r\n",
    "two hosts": _raw(GET, "Host: evil.example"),
    "negative length": _raw(POST, "Content-Length: -1"),
    "two lengths": _raw(POST, "Content-Length: 5", "Content-Length: 6", body=b"hello!"),
    "length and chunks": _raw(POST, "Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "odd chunk": _raw(POST, "Content-Type: application/json", CHUNKED, body=b"ZZ\r\n"),
    "null in a header": _raw(GET, "X: a\0b"),
    "endless header": _raw(GET, "X: " + "a" * 200_000),
    "endless path": _raw("GET /" + "a" * 200_000 + " HTTP/1.1"),
    "path of bytes": _raw("GET /graphql%00%ff HTTP/1.1", "Connection: close"),
    "path upwards": _raw("GET /../../etc/passwd HTTP/1.1", "Connection: close"),
    "upgrade to nothing": _raw(GET, "Connection: Upgrade, close", "Upgrade: h2c"),
    "socket without a key": _raw(GET, *UPGRADE, "Sec-WebSocket-Version: 13"),
    "socket with an odd key": _raw(GET, *UPGRADE, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"),
    "socket of version 8": _raw(GET, *UPGRADE, "Sec-WebSocket-Version: 8", KEY),
    "socket by POST": _raw(POST, *UPGRADE, "Sec-WebSocket-Version: 13", KEY, "Content-Length: 0"),
    "socket from a foreign page": _raw(GET, *UPGRADE, "Sec-WebSocket-Version: 13", KEY, "Origin: https://evil.example"),
}
"""What comes over a connection that speaks HTTP badly, or not at all. None of it deserves an answer but 4xx."""
