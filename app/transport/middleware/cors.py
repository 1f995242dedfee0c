"""Cross-origin resource sharing: the origins whose pages may call the HTTP endpoint."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.transport.http.csrf import SCRIPT_HEADERS

ALLOWED_REQUEST_HEADERS = (
    "accept",
    "authorization",
    "content-type",
    "if-none-match",
    *(name.decode() for name in SCRIPT_HEADERS),
)

EXPOSED_RESPONSE_HEADERS = ("etag", "retry-after", "www-authenticate", "x-request-id")

# The longest that any browser caches the response to a preflight.
PREFLIGHT_MAX_AGE_SECONDS = 7200


def allow_origins(app: ASGIApp, origins: Iterable[str]) -> ASGIApp:
    """Wrap `app` so that scripts of `origins` ("*": all) may call it and read its headers.

    No request is authenticated by cookies, so credentials are not allowed.
    """
    return CORSMiddleware(
        app,
        allow_origins=[origin.rstrip("/") for origin in origins],
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=ALLOWED_REQUEST_HEADERS,
        expose_headers=EXPOSED_RESPONSE_HEADERS,
        max_age=PREFLIGHT_MAX_AGE_SECONDS,
    )
