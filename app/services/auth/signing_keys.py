"""A pair of signing secrets, so that one can be replaced while tokens signed with the other are still valid."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import jwt

from app.services.auth.verify_jwt import SHARED_SECRET_ALGORITHM, shared_secret


class SigningKeys:
    """Signs with the current secret; verifies with the current and the previous one, distinguished by `kid`."""

    def __init__(self, current: str, previous: str | None = None) -> None:
        """Prepare the secrets.

        Args:
            current: The secret that signs.
            previous: The secret whose tokens are still accepted.

        Raises:
            ValueError: A secret has fewer than 32 bytes, or is a public key.
        """
        self._keys = {key_id(secret): shared_secret(secret) for secret in (previous, current) if secret}
        self._current = key_id(current)

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """Return a signed JWT of `claims` in the compact form."""
        headers = {"kid": self._current, "typ": typ}
        return jwt.encode(dict(claims), self._keys[self._current], SHARED_SECRET_ALGORITHM, headers=headers)

    def candidates(self, kid: str | None) -> list[bytes]:
        """Return the secrets that may have signed a token with this `kid`: none if it is unknown, all if it is None."""
        if kid is None:
            return list(reversed(self._keys.values()))
        return [self._keys[kid]] if kid in self._keys else []


def key_id(secret: str) -> str:
    """Return an id for `secret` that does not reveal it."""
    return hashlib.sha256(b"kid:" + secret.encode()).hexdigest()[:12]
