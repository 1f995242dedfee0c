"""Keys of an identity provider, by its JWKS document (RFC 7517)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import jwt

from app.domain.errors import ServiceUnavailable

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Asymmetric ones only: with a shared-secret algorithm among them, the public key could sign."""

MAX_AGE = 600.0
MIN_PAUSE = 30.0
RETRY_PAUSE = 5.0
MAX_KEYS = 100


class JwksKeys:
    """Keys fetched over HTTP, and fetched again every ten minutes.

    An unknown id makes it look for new keys, at most twice a minute. A provider that does not answer is asked every
    five seconds; until then the old keys are good, and where there are none nobody waits for it but the one who asks.
    """

    algorithms = ALGORITHMS

    def __init__(self, url: str, http: httpx2.AsyncClient, monotonic: Callable[[], float]) -> None:
        """`http` brings its own timeouts."""
        self._url = url
        self._http = http
        self._monotonic = monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The key of that id; none for an unknown one. Raises ServiceUnavailable without any document.

        A key is bound to its algorithm. Who asks for a known key does not wait for the document to be renewed.
        """
        if kid is None:
            return ()
        if self._is_due(kid):
            self._fetching = self._fetching or asyncio.create_task(self._fetch())
        if self._fetching is not None and kid not in self._keys:
            await asyncio.shield(self._fetching)
        if not self._keys:
            raise ServiceUnavailable(int(RETRY_PAUSE))
        return (self._keys[kid],) if kid in self._keys else ()

    def _is_due(self, kid: str) -> bool:
        now = self._monotonic()
        if self._tried_at is not None and now - self._tried_at < RETRY_PAUSE:
            return False
        if self._fetched_at is None:
            return True
        age = now - self._fetched_at
        return age > MAX_AGE or (kid not in self._keys and age > MIN_PAUSE)

    async def _fetch(self) -> None:
        self._tried_at = self._monotonic()
        try:
            response = await self._http.get(self._url)
            response.raise_for_status()
            keys = _keys(response.json())
        except (httpx2.HTTPError, jwt.PyJWTError, ValueError, TypeError, AttributeError):
            return  # The old keys are better than none.
        finally:
            self._fetching = None
        self._keys = keys
        self._fetched_at = self._monotonic()


def _keys(document: Any) -> dict[str, jwt.PyJWK]:
    """The usable keys by id. Raises ValueError, and whatever PyJWT makes of what is no key set."""
    if not isinstance(document, dict):
        raise ValueError("The key set is not a JSON object")
    return {
        key.key_id: key
        for key in list(jwt.PyJWKSet.from_dict(document))[:MAX_KEYS]
        if isinstance(key.key_id, str) and key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig")
    }
