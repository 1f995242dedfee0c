"""Where the key set of an issuer is: at a fixed URL, or where its OpenID configuration says."""

from __future__ import annotations

import json
from typing import Protocol

import httpx2

from app.domain.addresses import is_encrypted_or_local
from app.runtime import Runtime

MAX_DOCUMENT_BYTES = 64 * 1024
"""Maximum size of a document of an identity provider; a hundred RSA keys of 2048 bits fit."""

CONFIGURATION_PATH = "/.well-known/openid-configuration"
"""Appended to the issuer (OpenID Connect Discovery 1.0, section 4)."""

MAX_CONFIGURATION_AGE = 3600.0
"""Seconds after which the OpenID configuration is read again."""


class KeySetLocation(Protocol):
    """Knows the URL of a key set."""

    async def url(self) -> str:
        """Return the URL. Raises HTTPError, or ValueError if the provider names none that may be used."""

    def invalidate(self) -> None:
        """Look for the URL again next time: no key set was found there."""


class FixedLocation:
    """A key set at a URL from the settings."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def url(self) -> str:
        """Return the URL."""
        return self._url

    def invalidate(self) -> None:
        """Do nothing: there is no other place to look."""


class DiscoveredLocation:
    """A key set whose URL is in the OpenID configuration of its issuer."""

    def __init__(self, issuer: str, http: httpx2.AsyncClient, runtime: Runtime, *, encrypted_only: bool) -> None:
        """Create a location; nothing is fetched yet.

        Args:
            issuer: The issuer, a URL.
            http: The client, which must not follow redirects.
            runtime: The source of time.
            encrypted_only: Whether the key set must be at an `https` URL, unless it is on this machine.
        """
        self._issuer = issuer
        self._http = http
        self._monotonic = runtime.monotonic
        self._encrypted_only = encrypted_only
        self._found: str | None = None
        self._found_at = 0.0

    async def url(self) -> str:
        """Return the URL that the OpenID configuration names. Raises HTTPError, ValueError."""
        if self._found is None or self._monotonic() - self._found_at >= MAX_CONFIGURATION_AGE:
            document = json.loads(await fetch(self._http, self._issuer.rstrip("/") + CONFIGURATION_PATH))
            self._found, self._found_at = self._key_set_in(document), self._monotonic()
        return self._found

    def invalidate(self) -> None:
        """Read the configuration again next time."""
        self._found = None

    def _key_set_in(self, document: object) -> str:
        if not isinstance(document, dict):
            raise ValueError("The OpenID configuration must be a JSON object")
        if document.get("issuer") != self._issuer:
            named = str(document.get("issuer"))[:200]
            raise ValueError(f"JWT_ISSUER must be the issuer that its OpenID configuration names: {named!r}")
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise ValueError("The OpenID configuration must name the URL of a key set in `jwks_uri`")
        if self._encrypted_only and not is_encrypted_or_local(url):
            raise ValueError("The `jwks_uri` of the OpenID configuration must begin with https:// in production")
        return url


async def fetch(http: httpx2.AsyncClient, url: str) -> bytes:
    """Return the body of a response.

    Raises:
        HTTPError: There is no response, or it reports a failure.
        ValueError: The body is too long.
    """
    async with http.stream("GET", url) as response:
        response.raise_for_status()
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"The document must not be longer than {MAX_DOCUMENT_BYTES} bytes")
        return body
