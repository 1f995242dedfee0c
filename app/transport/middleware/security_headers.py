"""Security headers on every response, a content security policy on pages."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.transport.errors import Header

PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        # The editor in GraphiQL sets style attributes and starts its workers from blobs.
        "style-src 'self' 'unsafe-inline'",
        "worker-src 'self' blob:",
        # Avatars are served by hosts that the identity provider chooses.
        "img-src 'self' data: https:",
        "font-src 'self' data:",
        # 'self' covers ws: to the own origin in current browsers, but not in Safari before 15.4.
        "connect-src 'self' ws: wss:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

API_POLICY = "default-src 'none'; frame-ancestors 'none'"

COMMON_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)

TRANSPORT_SECURITY: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class SecurityHeaders:
    """ASGI middleware: adds security headers to every response."""

    def __init__(self, app: ASGIApp, *, page_policy: str = PAGE_POLICY, https_only: bool = False) -> None:
        """Wrap `app`.

        Args:
            app: The next application.
            page_policy: The content security policy of HTML; that of all other responses allows nothing.
            https_only: Send `Strict-Transport-Security` for a year.
        """
        self.app = app
        common = (*COMMON_HEADERS, TRANSPORT_SECURITY) if https_only else COMMON_HEADERS
        self._page = (*common, (b"content-security-policy", page_policy.encode()))
        self._api = (*common, (b"content-security-policy", API_POLICY.encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add headers to its response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                secured = self._page if _is_page(headers) else self._api
                message = {**message, "headers": [*headers, *secured]}
            await send(message)

        await self.app(scope, receive, send_secured)


def _is_page(headers: list[Header]) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers)
