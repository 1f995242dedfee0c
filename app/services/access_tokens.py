"""Access tokens: who is calling. They are made elsewhere; here they are verified, and minted for development only."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any, Protocol

import jwt

from app.domain.errors import BadUserInput, Unauthenticated
from app.domain.users import Caller, Role, clean_avatar_url, clean_username, user_id_of
from app.services.secrets import ALGORITHM, Secrets, decode, is_plausible

TYPES = (None, "JWT", "at+jwt")
REQUIRED = ["exp", "iat", "sub", "aud", "iss"]
MAX_SUBJECT_LENGTH = 255


class Keys(Protocol):
    """Where the keys come from."""

    algorithms: list[str]

    async def candidates(self, kid: object) -> list[Any]:
        """The keys that may have signed a token with that `kid`. Raises Unauthenticated or ServiceUnavailable."""


class SecretKeys:
    """Keys from the pair of shared secrets."""

    algorithms = [ALGORITHM]  # noqa: RUF012 - never changed

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def candidates(self, kid: object) -> list[Any]:
        """The shared secrets that `kid` may mean."""
        return list(self._secrets.candidates(kid))


class AccessTokens:
    """Verifies access tokens. Remembers good ones until they expire, because decoding costs more than the rest."""

    def __init__(self, keys: Keys, *, issuer: str, audience: str, capacity: int = 20_000) -> None:
        """`capacity`: how many verified tokens are remembered."""
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._capacity = capacity
        self._verified: OrderedDict[str, Caller] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """Who `token` speaks for. Raises Unauthenticated, with one and the same answer for every bad token."""
        caller = self._verified.get(token)
        if caller is None:
            caller = await self._decode(token)
            self._verified[token] = caller
            if len(self._verified) > self._capacity:
                self._verified.popitem(last=False)
        if caller.expires_at <= time.time():
            self._verified.pop(token, None)
            raise Unauthenticated(expired=True)
        return caller

    async def _decode(self, token: str) -> Caller:
        if not is_plausible(token):
            raise Unauthenticated
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") not in TYPES or header.get("alg") not in self._keys.algorithms:
                raise Unauthenticated
            return self._caller(await self._claims(token, header.get("kid")))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(expired=True) from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, BadUserInput):
            raise Unauthenticated from None

    async def _claims(self, token: str, kid: object) -> dict[str, Any]:
        for key in await self._keys.candidates(kid):
            try:
                return decode(
                    token,
                    key,
                    algorithms=self._keys.algorithms,
                    audience=self._audience,
                    issuer=self._issuer,
                    require=REQUIRED,
                )
            except jwt.InvalidSignatureError:
                continue
        raise Unauthenticated

    def _caller(self, claims: dict[str, Any]) -> Caller:
        subject, username, avatar_url = claims["sub"], claims.get("username"), claims.get("avatar_url")
        if not subject or len(subject) > MAX_SUBJECT_LENGTH:
            raise Unauthenticated
        return Caller(
            user_id=user_id_of(self._issuer, subject),
            username=clean_username(subject[:50] if username is None else username),
            avatar_url=clean_avatar_url(avatar_url if isinstance(avatar_url, str) else None),
            role=Role(claims.get("role", Role.PLAYER)),
            expires_at=int(claims["exp"]),
        )


def mint(secrets: Secrets, *, subject: str, role: Role, ttl: int, issuer: str, audience: str, now: int) -> str:
    """An access token for development: `ttl` in seconds from `now`, a Unix second."""
    claims = {
        "sub": subject,
        "username": subject,
        "role": role.value,
        "iss": issuer,
        "aud": audience,
        "iat": now,
        "exp": now + ttl,
    }
    return secrets.sign(claims, "at+jwt")
