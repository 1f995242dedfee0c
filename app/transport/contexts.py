"""The contexts of operations: the caller and the address of a request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from app.context import Context, Services
from app.domain.errors import Unauthenticated
from app.domain.identity.api_keys import PREFIX as API_KEY_PREFIX
from app.domain.rate_limits import Activity
from app.domain.users import Caller
from app.execution import Dependencies
from app.pubsub.feed.view_budget import ViewOwners
from app.telemetry.requests import RefusalLog, RequestFacts, current_request
from app.transport.middleware.client_address import TrustedProxies, client_address
from app.wiring import App

MAX_USER_AGENT = 200

REFUSED_REQUEST: Mapping[Activity, int] = {Activity.QUERY: 1}
"""What a request costs that was refused before it became an operation."""


class Contexts:
    """Makes contexts from ASGI scopes."""

    def __init__(
        self,
        app: App,
        proxies: TrustedProxies,
        make_request_id: Callable[[], str],
        refusal_log: RefusalLog | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create the factory.

        Args:
            app: The services that contexts refer to.
            proxies: The proxies whose `X-Forwarded-For` is trusted.
            make_request_id: Names requests that do not bring an id.
            refusal_log: Where refusals of requests are logged.
            clock: Returns Unix time in seconds.
        """
        self._app = app
        self._services = Services.of(app)
        self._clock = clock
        self._proxies = proxies
        self._make_request_id = make_request_id
        self._refusal_log = refusal_log

    async def from_http(self, scope: Mapping[str, Any]) -> Context:
        """Return the context of an HTTP request.

        Raises:
            Unauthenticated: The access token is bad.
            RateLimited: The caller is blocked, or sent too many requests that were refused.
        """
        headers = {name: value for name, value in scope["headers"] if name in _USED_HEADERS}
        return await self._context(scope, headers, headers.get(b"authorization"))

    async def admit_socket(self, scope: Mapping[str, Any]) -> str:
        """Count a WebSocket handshake against the limits of its address, and return that. Raises RateLimited."""
        address = client_address(scope, self._proxies)
        if (facts := current_request.get()) is not None:
            facts.address = address
        await self._app.rate_limiter.charge_connection(address)
        return address

    async def from_socket(self, scope: Mapping[str, Any], payload: Mapping[str, Any]) -> Context:
        """Return the context of a socket, by `authorization` in the `connection_init` payload or the handshake."""
        headers = {name: value for name, value in scope["headers"] if name in _USED_HEADERS}
        given = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if given is None or given == "":
            return await self._context(scope, headers, headers.get(b"authorization"))
        if not isinstance(given, str):
            raise Unauthenticated
        return await self._context(scope, headers, given.encode(errors="replace"))

    def renew(self, context: Context, request_id: str) -> Context | None:
        """Return the context of another request by the caller of `context`, from the same address.

        None when the access token is no longer valid, or the address is blocked: then the request must be parsed and
        refused like any other.
        """
        caller = context.caller
        if caller is not None and not caller.is_valid_at(self._clock()):
            return None
        if caller is not None:
            caller.signing_key.is_used = True
        if self._app.rate_limiter.is_blocked(caller, context.address):
            return None
        if caller is None and self._app.refusals.retry_after(context.address):
            return None
        return Context(self._services, caller, context.address, context.user_agent, request_id)

    def enter(self, context: Context) -> None:
        """Let log lines of the current task name the request of `context`."""
        user = None if context.caller is None else context.caller.user_id
        current_request.set(RequestFacts(context.request_id, self._refusal_log, user=user, address=context.address))

    async def charge_refusal(self, context: Context) -> None:
        """Count a request that was refused before it became an operation: for its user, else for its address.

        Raises:
            RateLimited: The user exceeds a limit.
        """
        if context.caller is None:
            self._app.refusals.add(context.address)
        else:
            await self._app.rate_limiter.charge(context.caller, context.address, REFUSED_REQUEST)

    def public(self, dependencies: Dependencies | None = None) -> Context:
        """Return the context of an execution that many viewers share. Its resolvers add to `dependencies`."""
        return Context(self._services, dependencies=dependencies)

    def shared(self, owners: ViewOwners) -> Context:
        """Return the context of a subscription that many viewers share; its views are charged to `owners`."""
        return Context(self._services, shared_owners=owners)

    async def _context(
        self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], authorization: bytes | None
    ) -> Context:
        agent = headers.get(b"user-agent")
        address = client_address(scope, self._proxies)
        request_id = scope.get("state", {}).get("request_id") or self._make_request_id()
        # A socket authenticates in a task that does not serve a request yet.
        facts = current_request.get() or RequestFacts(request_id, self._refusal_log)
        facts.address = address
        current_request.set(facts)
        # Clients send an empty value when nobody is signed in.
        caller = await self._caller(authorization, address) if authorization else None
        facts.user = None if caller is None else caller.user_id
        await self._app.rate_limiter.refuse_if_blocked(caller, address)
        if caller is None:
            await self._app.refusals.refuse_if_over(address)
        return Context(
            self._services,
            caller=caller,
            address=address,
            user_agent=None if agent is None else _text(agent)[:MAX_USER_AGENT],
            request_id=request_id,
        )

    async def _caller(self, authorization: bytes, address: str) -> Caller:
        try:
            credential = _bearer(authorization)
            verifier = self._app.api_keys if credential.startswith(API_KEY_PREFIX) else self._app.access_tokens
            return await verifier.verify(credential)
        except Unauthenticated as refusal:
            # A client with a token that was signed for it is not guessing, and must learn that it needs another one.
            if not refusal.signed:
                await self._app.refusals.refuse_if_over(address)
                self._app.refusals.add(address)
                await self._app.rate_limiter.charge(None, address, REFUSED_REQUEST)
            raise


_USED_HEADERS = (b"authorization", b"user-agent")


def _bearer(authorization: bytes) -> str:
    scheme, _, token = _text(authorization).partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    return token


def _text(raw: bytes) -> str:
    """Return header bytes as printable text: clients may send neither."""
    text = raw.decode("latin-1")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
