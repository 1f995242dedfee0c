"""Signing with a pair of secrets, so that one can be replaced while tokens signed with the other are still about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import jwt

from app.services.auth.jwt_claims import shared_secret

ALGORITHM = "HS256"


class SigningKeys:
    """Signs with the current secret; verifies with the current and the previous one, told apart by `kid`."""

    def __init__(self, current: str, previous: str | None = None) -> None:
        """Raises ValueError for a secret of fewer than 32 bytes, and for what is a public key in truth."""
        self._keys = {key_id(secret): shared_secret(secret) for secret in (previous, current) if secret}
        self._current = key_id(current)

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """A compact JWT of `claims`."""
        headers = {"kid": self._current, "typ": typ}
        return jwt.encode(dict(claims), self._keys[self._current], ALGORITHM, headers=headers)

    def candidates(self, kid: str | None) -> list[bytes]:
        """The secrets that may have signed a token with that `kid`: none for a strange one, all without one."""
        if kid is None:
            return list(reversed(self._keys.values()))
        return [self._keys[kid]] if kid in self._keys else []


def key_id(secret: str) -> str:
    """A name for a secret that does not give it away."""
    return hashlib.sha256(b"kid:" + secret.encode()).hexdigest()[:12]
