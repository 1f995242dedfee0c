"""The limit of requests that no route can serve."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.errors import RateLimited
from app.services.limits.refusals import Refusals
from app.telemetry.requests import current_request, log_refusal
from app.transport.http.negotiation import DEFAULT_ACCEPTED
from app.transport.http.responses import error_body, error_reply
from app.transport.middleware.client_address import TrustedProxies, client_address

REFUSED_STATUSES = frozenset({404, 405, 421})
"""Not found, method not allowed, misdirected request: the refusals that are not made by an endpoint."""


class RefusedPaths:
    """ASGI middleware: counts requests to unknown paths, methods and hosts, and answers 429 when there are too many.

    Other requests of the address are served: pages come without an access token, and may be those of a user. The
    GraphQL endpoint counts its own refusals, because it knows the caller.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies, exempt: Iterable[str] = ()) -> None:
        """Wrap `app`.

        Args:
            app: The next application.
            proxies: The proxies whose `X-Forwarded-For` is trusted.
            exempt: The paths of endpoints that count their own refusals.
        """
        self.app = app
        self._proxies = proxies
        self._exempt = frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and look at the status of its response."""
        app = scope.get("state", {}).get("app")
        if scope["type"] != "http" or scope["path"] in self._exempt or app is None:
            await self.app(scope, receive, send)
            return
        refusals: Refusals = app.refusals
        over: RateLimited | None = None

        async def send_unless_over(message: Message) -> None:
            nonlocal over
            if message["type"] == "http.response.start" and message["status"] in REFUSED_STATUSES:
                address = client_address(scope, self._proxies)
                if (request := current_request.get()) is not None:
                    request.address = address
                log_refusal(f"HTTP_{message['status']}", f"{scope['method']} {scope['path']}")
                try:
                    await refusals.refuse_if_over(address)
                except RateLimited as error:
                    over = error
                else:
                    refusals.add(address)
            if over is None:
                await send(message)

        await self.app(scope, receive, send_unless_over)
        if over is not None:
            await _refuse(over, scope, send)


async def _refuse(refusal: RateLimited, scope: Scope, send: Send) -> None:
    body = error_body({"message": refusal.message, "extensions": {"code": refusal.code, **refusal.facts()}})
    reply = error_reply(body, DEFAULT_ACCEPTED)._replace(status=429)
    await reply.send(send, without_body=scope["method"] == "HEAD")
