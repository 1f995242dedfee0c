"""Signing with a pair of secrets, so that one can be replaced while tokens signed with the other are still about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import jwt

ALGORITHM = "HS256"
MAX_TOKEN_LENGTH = 4096


class Secrets:
    """Signs with the current secret; verifies with the current and the previous one, told apart by `kid`."""

    def __init__(self, current: str, previous: str | None = None) -> None:
        self._keys = {key_id(secret): secret for secret in (previous, current) if secret}
        self._current = key_id(current)

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """A compact JWT of `claims`."""
        headers = {"kid": self._current, "typ": typ}
        return jwt.encode(dict(claims), self._keys[self._current], ALGORITHM, headers=headers)

    def candidates(self, kid: object) -> list[str]:
        """The secrets that may have signed a token with that `kid`: none for a strange one, all without one."""
        if kid is None:
            return list(reversed(self._keys.values()))
        return [self._keys[kid]] if isinstance(kid, str) and kid in self._keys else []


def key_id(secret: str) -> str:
    """A name for a secret that does not give it away."""
    return hashlib.sha256(b"kid:" + secret.encode()).hexdigest()[:12]


def is_plausible(token: str) -> bool:
    """Whether `token` is worth decoding: short, ASCII, three non-empty base64url parts."""
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        return False
    parts = token.split(".")
    return len(parts) == 3 and all(part and part.replace("-", "a").replace("_", "a").isalnum() for part in parts)


def decode(
    token: str,
    key: Any,
    *,
    algorithms: list[str],
    audience: str,
    issuer: str | None,
    require: list[str],
) -> dict[str, Any]:
    """The claims of a token whose signature, times, audience and issuer are right. Raises jwt.InvalidTokenError."""
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=algorithms,
        audience=audience,
        issuer=issuer,
        leeway=0,
        options={"require": require, "strict_aud": True, "enforce_minimum_key_length": True},
    )
    for name in ("exp", "iat"):
        if type(claims.get(name)) not in (int, float):  # PyJWT takes digits in a string, and true for 1.
            raise jwt.InvalidTokenError(f"{name} is not a number")
    return claims
