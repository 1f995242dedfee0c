"""Access tokens: who is calling. They are made elsewhere; here they are verified, and minted for development only."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from app.domain.errors import BadUserInput, Unauthenticated
from app.domain.users import Caller, Role, SigningKey, user_id_of
from app.domain.validation import clean_avatar_url, clean_username
from app.services.auth.jwt_claims import BadToken, ExpiredToken, read_claims, read_header
from app.services.auth.signing_keys import ALGORITHM, SigningKeys

TOKEN_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")
"""Types of an access token, in lower case; many identity providers leave it out."""

MAX_SUBJECT_LENGTH = 255


class Candidate(NamedTuple):
    """A key that may have signed a token."""

    material: Any
    """What verifies signatures: a key of PyJWT, or a shared secret."""
    key: SigningKey
    """What callers remember of it."""


class Keys(Protocol):
    """Where the keys come from."""

    algorithms: list[str]

    async def candidates(self, kid: str | None) -> Sequence[Candidate]:
        """The keys that may have signed a token with that `kid`; none for a strange one. Raises ServiceUnavailable."""


class SharedSecretKeys:
    """Keys from the pair of shared secrets. They are trusted as long as the process lives: settings never change."""

    algorithms = [ALGORITHM]  # noqa: RUF012 - never changed

    def __init__(self, secrets: SigningKeys) -> None:
        self._secrets = secrets
        self._key = SigningKey()

    async def candidates(self, kid: str | None) -> Sequence[Candidate]:
        """The shared secrets that `kid` may mean."""
        return [Candidate(secret, self._key) for secret in self._secrets.candidates(kid)]


class AccessTokens:
    """Verifies access tokens.

    Remembers good ones until they expire or their key is withdrawn, because decoding costs more than the rest.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        issuer: str,
        audience: str,
        max_lifetime: int,
        clock: Callable[[], float] = time.time,
        capacity: int = 20_000,
    ) -> None:
        """`max_lifetime`: the most seconds from a token's `iat` to its `exp`. `clock`: seconds since the epoch.

        `capacity`: how many verified tokens are remembered.
        """
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._max_lifetime = max_lifetime
        self._capacity = capacity
        self._verified: OrderedDict[str, Caller] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """Who `token` speaks for. Raises Unauthenticated, with one and the same answer for every bad token."""
        caller = self._verified.get(token)
        if caller is None or not caller.is_valid_at(self._clock()):
            self._verified.pop(token, None)
            try:
                caller = await self._read(token)
            except ExpiredToken:
                raise Unauthenticated(expired=True) from None
            except (BadToken, BadUserInput, ValueError):
                raise Unauthenticated from None
            self._verified[token] = caller
            if len(self._verified) > self._capacity:
                self._verified.popitem(last=False)
        return caller

    async def _read(self, token: str) -> Caller:
        header = read_header(token)
        if (header.typ or "").lower() not in TOKEN_TYPES or header.algorithm not in self._keys.algorithms:
            raise BadToken
        candidates = await self._keys.candidates(header.kid)
        claims, place = read_claims(
            token,
            [candidate.material for candidate in candidates],
            algorithm=header.algorithm,
            audience=self._audience,
            issuer=self._issuer,
            max_lifetime=self._max_lifetime,
            now=self._clock(),
        )
        return self._caller(claims, candidates[place].key)

    def _caller(self, claims: dict[str, Any], key: SigningKey) -> Caller:
        subject, username, avatar_url = claims["sub"], claims.get("username"), claims.get("avatar_url")
        if len(subject) > MAX_SUBJECT_LENGTH or not isinstance(username, str | None):
            raise BadToken
        return Caller(
            user_id=user_id_of(self._issuer, subject),
            username=clean_username(subject[:50] if username is None else username),
            avatar_url=clean_avatar_url(avatar_url if isinstance(avatar_url, str) else None),
            role=Role(claims.get("role", Role.PLAYER)),
            expires_at=int(claims["exp"]),
            signing_key=key,
        )


def mint(secrets: SigningKeys, *, subject: str, role: Role, ttl: int, issuer: str, audience: str, now: int) -> str:
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
