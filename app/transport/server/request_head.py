"""Checks of request heads that do not depend on the application, and the forms of a request target."""

from __future__ import annotations

from collections.abc import Sequence

import httptools

from app.transport.errors import BadRequest, Header

MAX_HEAD_BYTES = 64 * 1024
"""Maximum bytes of a request's target and headers, and of the trailers of a body."""

MAX_HEADERS = 100
"""Maximum number of headers of a request."""

MAX_HANDSHAKE_LINE = 8000
"""Maximum bytes of each line that the library of the WebSocket handshake reads."""

# Two readers of one request must not disagree about which of two values counts.
SINGLE_HEADERS = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"origin",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-websocket-key",
        b"sec-websocket-version",
    }
)

HANDSHAKE_HEADERS = frozenset(
    {
        b"connection",
        b"host",
        b"origin",
        b"sec-websocket-extensions",
        b"sec-websocket-key",
        b"sec-websocket-protocol",
        b"sec-websocket-version",
        b"upgrade",
    }
)

UPGRADE_OPTIONS = frozenset({b"upgrade", b"http2-settings"})
"""The connection options that belong to an offer to upgrade."""


def check_repeated(headers: Sequence[Header]) -> None:
    """Raise BadRequest (400) when a header is repeated that must be sent once."""
    seen = set()
    for name, _ in headers:
        if name in SINGLE_HEADERS:
            if name in seen:
                raise BadRequest(400, f"The header {name.decode().title()} must not be repeated.")
            seen.add(name)


def check_handshake(url: bytes, headers: Sequence[Header]) -> None:
    """Raise BadRequest for a WebSocket handshake with a body (400) or with a line that is too long (431)."""
    for name, value in headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0")):
            raise BadRequest(400, "A WebSocket handshake must not have a body.")
    lines = [len(url), *(len(name) + len(value) for name, value in headers if name in HANDSHAKE_HEADERS)]
    if max(lines) > MAX_HANDSHAKE_LINE:
        raise BadRequest(431, f"A line of a WebSocket handshake must have at most {MAX_HANDSHAKE_LINE} bytes.")


def apply_target(url: bytes, headers: list[Header]) -> tuple[bytes, list[Header]]:
    """Return a request target in origin form, and the headers with the host of an absolute target.

    The host of an absolute target ("GET http://host/path") takes precedence over `Host` (RFC 9112, section 3.2.2).

    Raises:
        BadRequest: The target is not valid, or names a user.
    """
    if url.startswith(b"/") or url == b"*":
        return url, headers
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        raise BadRequest(400, "The target of the request must be a path or a URL.") from None
    if not parsed.schema or parsed.schema.lower() not in (b"http", b"https") or parsed.userinfo:
        raise BadRequest(400, "The target of the request must be a path or a URL of http without a user.")
    authority = url.partition(b"://")[2]
    for end in (b"/", b"?", b"#"):
        authority = authority.partition(end)[0]
    target = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
    return target, [(b"host", authority), *(header for header in headers if header[0] != b"host")]


def without_upgrade(method: bytes, url: bytes, version: bytes, headers: Sequence[Header]) -> bytes:
    """Return the bytes of a head without its offer to upgrade the connection."""
    lines = [b"%b %b HTTP/%b" % (method, url, version)]
    for name, value in headers:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            value = b", ".join(option for option in options if option.lower() not in UPGRADE_OPTIONS)
        if name not in (b"upgrade", b"http2-settings") and (value or name != b"connection"):
            lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join((*lines, b"", b""))
