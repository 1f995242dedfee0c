"""Keys of an identity provider, by its JWKS document (RFC 7517)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import jwt

from app.domain.errors import ServiceUnavailable, Unauthenticated

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Asymmetric ones only: with a shared-secret algorithm among them, the public key could sign."""

MAX_AGE = 600.0
MIN_PAUSE = 30.0
MAX_KEYS = 100


class JwksKeys:
    """Keys fetched over HTTP, kept for ten minutes, and fetched at most twice a minute for the sake of unknown ids."""

    algorithms = ALGORITHMS

    def __init__(self, url: str, http: httpx2.AsyncClient, monotonic: Callable[[], float]) -> None:
        """`http` brings its own timeouts."""
        self._url = url
        self._http = http
        self._monotonic = monotonic
        self._keys: dict[str, Any] = {}
        self._fetched_at: float | None = None
        self._lock = asyncio.Lock()

    async def candidates(self, kid: object) -> list[Any]:
        """The key of that id. Raises Unauthenticated for an unknown id, ServiceUnavailable without any document."""
        if not isinstance(kid, str):
            raise Unauthenticated
        async with self._lock:
            if self._is_due(kid):
                await self._fetch()
        if kid not in self._keys:
            raise Unauthenticated
        return [self._keys[kid]]

    def _is_due(self, kid: str) -> bool:
        if self._fetched_at is None:
            return True
        age = self._monotonic() - self._fetched_at
        return age > MAX_AGE or (kid not in self._keys and age > MIN_PAUSE)

    async def _fetch(self) -> None:
        try:
            response = await self._http.get(self._url)
            response.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(response.json())
        except (httpx2.HTTPError, jwt.PyJWTError, ValueError) as error:
            if self._keys:
                self._fetched_at = self._monotonic()  # The old keys are better than none.
                return
            raise ServiceUnavailable from error
        self._keys = {key.key_id: key.key for key in list(keys)[:MAX_KEYS] if key.key_id}
        self._fetched_at = self._monotonic()
