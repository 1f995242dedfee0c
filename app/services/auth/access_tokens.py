"""Access tokens: verified here, issued by an identity provider. Tokens for development are minted here as well."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from app.domain.errors import Unauthenticated
from app.domain.players.names import clean_avatar_url, display_name
from app.domain.users import Caller, Role, SigningKey, SubjectIds
from app.runtime import Runtime
from app.services.auth.jwt_claims import (
    SHARED_SECRET_ALGORITHM,
    BadToken,
    ExpiredToken,
    RefusedClaims,
    read_claims,
    read_header,
)
from app.services.auth.signing_keys import SigningKeys

TOKEN_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")
"""Accepted values of the header `typ`, in lower case; many identity providers omit it."""

MAX_SUBJECT_LENGTH = 255
"""Maximum characters of the claim `sub`."""

ROLES = frozenset(role.value for role in Role)
"""The values of the claim `role` that mean something here; others are roles of other services."""

MAX_CACHED_TOKENS = 20_000
"""Verified tokens that a process keeps."""


class Candidate(NamedTuple):
    """A key that may have signed a token."""

    material: Any
    """A key of PyJWT, or a shared secret as bytes."""
    key: SigningKey
    """Whether the key is still trusted; callers refer to it."""


class KeySource(Protocol):
    """The source of the keys that verify tokens."""

    algorithms: list[str]

    async def candidates(self, kid: str | None) -> Sequence[Candidate]:
        """Return the keys that may have signed a token with this `kid`; none if it is unknown.

        Raises:
            ServiceUnavailable: The keys are not known yet.
        """


class SharedSecretKeys:
    """The pair of shared secrets from the settings, which are trusted for the lifetime of the process."""

    algorithms = [SHARED_SECRET_ALGORITHM]  # noqa: RUF012 - never changed

    def __init__(self, secrets: SigningKeys) -> None:
        self._secrets = secrets
        self._key = SigningKey()

    async def candidates(self, kid: str | None) -> Sequence[Candidate]:
        """Return the shared secrets that may have signed a token with this `kid`."""
        return [Candidate(secret, self._key) for secret in self._secrets.candidates(kid)]


class AccessTokens:
    """Verifies access tokens.

    Verified tokens are cached until they expire or their key is withdrawn.
    """

    def __init__(
        self,
        keys: KeySource,
        runtime: Runtime,
        *,
        issuer: str,
        audience: str,
        max_lifetime: int,
        subject_is_user_id: bool = False,
        capacity: int = MAX_CACHED_TOKENS,
    ) -> None:
        """Create a verifier.

        Args:
            keys: The source of the keys.
            runtime: The source of time.
            issuer: The required `iss`.
            audience: The required `aud`.
            max_lifetime: Maximum seconds from `iat` to `exp`.
            subject_is_user_id: See `SubjectIds`.
            capacity: How many verified tokens are cached.
        """
        self._keys = keys
        self._clock = runtime.clock
        self._issuer = issuer
        self._subject_ids = SubjectIds(issuer, subject_is_user_id)
        self._audience = audience
        self._max_lifetime = max_lifetime
        self._capacity = capacity
        self._verified: OrderedDict[str, Caller] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """Return the caller whom `token` identifies.

        Raises:
            Unauthenticated: The token is expired or invalid. The error does not say why it is invalid.
            ServiceUnavailable: The keys are not known yet.
        """
        caller = self._verified.get(token)
        if caller is None or not caller.is_valid_at(self._now()):
            self._verified.pop(token, None)
            try:
                caller = await self._read(token)
            except ExpiredToken:
                raise Unauthenticated(expired=True) from None
            except RefusedClaims:
                raise Unauthenticated(signed=True) from None
            except (BadToken, ValueError):
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
        verified = read_claims(
            token,
            [candidate.material for candidate in candidates],
            algorithm=header.algorithm,
            audience=self._audience,
            issuer=self._issuer,
            max_lifetime=self._max_lifetime,
            now=self._now(),
        )
        try:
            return self._caller(verified.claims, candidates[verified.key_index].key)
        except (BadToken, ValueError):
            raise RefusedClaims from None

    def _now(self) -> float:
        return self._clock().timestamp()

    def _caller(self, claims: dict[str, Any], key: SigningKey) -> Caller:
        subject = claims["sub"]
        if len(subject) > MAX_SUBJECT_LENGTH:
            raise BadToken
        user_id, role = self._subject_ids.user_id(subject), claims.get("role")
        return Caller(
            user_id=user_id,
            username=display_name(claims.get("username", subject), user_id),
            avatar_url=clean_avatar_url(claims.get("avatar_url")),
            role=Role(role) if isinstance(role, str) and role in ROLES else Role.PLAYER,
            expires_at=int(claims["exp"]),
            signing_key=key,
        )


def mint(secrets: SigningKeys, *, subject: str, role: Role, ttl: int, issuer: str, audience: str, now: int) -> str:
    """Return an access token for development.

    Args:
        secrets: The signing keys.
        subject: The claim `sub`, which is also the username.
        role: The role of the caller.
        ttl: Seconds from `now` until the token expires.
        issuer: The claim `iss`.
        audience: The claim `aud`.
        now: Seconds since the epoch.
    """
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
