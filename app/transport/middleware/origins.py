"""Checks of the `Origin` and `Host` headers.

CORS does not cover WebSockets, so their `Origin` is checked here. The `Host` check prevents DNS rebinding: a page whose
name was made to resolve to our address is same-origin with us, and only the name in `Host` shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.runtime import Runtime
from app.telemetry.bounded_log import BoundedLog
from app.transport.errors import BAD_REQUEST

MAX_LOGGED_HOST = 200
"""Characters of a host that are logged."""

DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}


class Origins:
    """The allowed origins of browser pages, as `scheme://host[:port]`; "*" allows all."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(origin.strip().rstrip("/").lower() for origin in allowed)
        self._any = "*" in self._allowed

    def allows(self, scope: Mapping[str, Any]) -> bool:
        """Return whether a handshake or request may be served: it has no origin, our own, or a listed one.

        The opaque origin "null" (sandboxed frames, local files) cannot be listed.
        """
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is None or self._any:
            return True
        text = origin.decode("latin-1").lower()
        return text in self._allowed or _is_own(text, headers.get(b"host", b"").decode("latin-1").lower())


def _is_own(origin: str, host: str) -> bool:
    scheme, separator, authority = origin.partition("://")
    if not separator or not host:
        return False
    port = ":" + DEFAULT_PORTS.get(scheme, "")
    return authority.removesuffix(port) == host.removesuffix(port)


class AllowedHosts:
    """ASGI middleware: answers 421 (sockets: refuses the handshake) when `Host` is not an allowed name."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], runtime: Runtime, exempt: Iterable[str] = ()) -> None:
        """Wrap `app`.

        Args:
            app: The next application.
            hosts: Names without port, "*.example.org" for all subdomains, or "*" for any.
            runtime: The source of time, by which the log is bounded.
            exempt: Paths that are served under every name: load balancers probe by address.
        """
        listed = [host.strip().lower() for host in hosts]
        self.app = app
        self._any = "*" in listed
        self._names = frozenset(listed)
        self._suffixes = tuple(host[1:] for host in listed if host.startswith("*."))
        self._exempt = frozenset(exempt)
        self._log = BoundedLog(structlog.get_logger(__name__), runtime)

    def allows(self, scope: Mapping[str, Any]) -> bool:
        """Return whether the request has exactly one `Host` header, with an allowed name."""
        if self._any:
            return True
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return False
        name = _without_port(hosts[0].decode("latin-1").lower())
        return name in self._names or name.endswith(self._suffixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request with an allowed host, and refuse any other."""
        if scope["type"] == "lifespan" or scope["path"] in self._exempt or self.allows(scope):
            await self.app(scope, receive, send)
            return
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")[:MAX_LOGGED_HOST]
        self._log.info("host_refused", key=host, host=host, advice="ALLOWED_HOSTS must contain the name")
        if scope["type"] == "websocket":
            # Closed before it was accepted: the server answers the handshake with 403.
            await send({"type": "websocket.close", "code": 1008, "reason": "Unknown host"})
        else:
            await _misdirected(send)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")


async def _misdirected(send: Send) -> None:
    error = {"message": "This host name is not served here.", "extensions": {"code": BAD_REQUEST}}
    body = orjson.dumps({"errors": [error]})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})
