"""From a request to the context of its operations: who asks, and from where."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from app.context import Context
from app.domain.errors import Unauthenticated
from app.domain.rate_limits import Activity
from app.domain.users import Caller
from app.execution import Dependencies
from app.transport.middleware.client_address import TrustedProxies, client_address
from app.wiring import App

MAX_USER_AGENT = 200


class Contexts:
    """Makes contexts from ASGI scopes."""

    def __init__(
        self, app: App, proxies: TrustedProxies, new_id: Callable[[], str], clock: Callable[[], float] = time.time
    ) -> None:
        """`new_id` names requests that do not bring an id. `clock`: seconds since the epoch."""
        self._app = app
        self._clock = clock
        self._proxies = proxies
        self._new_id = new_id

    async def of_http(self, scope: Mapping[str, Any]) -> Context:
        """The context of an HTTP request. Raises Unauthenticated for a bad access token; having none is no fault."""
        headers = {name: value for name, value in scope["headers"] if name in _WANTED}
        return await self._context(scope, headers, headers.get(b"authorization"))

    async def of_socket(self, scope: Mapping[str, Any], payload: Mapping[str, Any]) -> Context:
        """The context of a socket: `authorization` in the payload of `connection_init`, else in the handshake."""
        headers = {name: value for name, value in scope["headers"] if name in _WANTED}
        given = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if given is None:
            return await self._context(scope, headers, headers.get(b"authorization"))
        if not isinstance(given, str):
            raise Unauthenticated
        return await self._context(scope, headers, given.encode(errors="replace"))

    def renew(self, context: Context, request_id: str) -> Context | None:
        """The context of one more request by the caller of `context`, from the same address.

        None when its access token is no longer good, or its address is blocked: the request is to be refused as any
        other.
        """
        caller = context.caller
        if caller is not None and not caller.is_valid_at(self._clock()):
            return None
        if self._app.rate_limiter.is_blocked(context.address):
            return None
        return Context(self._app, caller, context.address, context.user_agent, request_id)

    def public(self, dependencies: Dependencies | None = None) -> Context:
        """The context of an execution that many viewers share; its resolvers tell `dependencies` what they rest on."""
        return Context(self._app, dependencies=dependencies)

    async def _context(
        self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], authorization: bytes | None
    ) -> Context:
        agent = headers.get(b"user-agent")
        address = client_address(scope, self._proxies)
        # Before anything else: to whoever is blocked, not even a look at the token is owed.
        self._app.rate_limiter.raise_if_blocked(address)
        return Context(
            self._app,
            caller=None if authorization is None else await self._caller(authorization, address),
            address=address,
            user_agent=None if agent is None else _text(agent)[:MAX_USER_AGENT],
            request_id=scope.get("state", {}).get("request_id") or self._new_id(),
        )

    async def _caller(self, authorization: bytes, address: str) -> Caller:
        try:
            return await self._app.access_tokens.verify(_bearer(authorization))
        except Unauthenticated:
            # Whoever tries tokens is as anonymous as somebody without one, and no cheaper.
            await self._app.rate_limiter.charge(None, address, {Activity.QUERY: 1})
            raise


_WANTED = (b"authorization", b"user-agent")


def _bearer(authorization: bytes) -> str:
    scheme, _, token = _text(authorization).partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    return token


def _text(raw: bytes) -> str:
    """Header bytes as printable text: what came from a client is never trusted to be either."""
    text = raw.decode("latin-1")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
