"""Access tokens: verified here, issued by an identity provider. Tokens for development are minted here as well."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import structlog

from app.domain.errors import ServiceUnavailable, Unauthenticated
from app.domain.identity.issuers import DEFAULT_AUDIENCE, Issuer
from app.domain.players.names import clean_avatar_url, display_name
from app.domain.users import Caller, Role, SigningKey, SubjectIds
from app.runtime import Runtime
from app.services.auth.refusal_advice import advice_for
from app.services.auth.signing_keys import SigningKeys
from app.services.auth.verify_jwt import (
    CLOCK_SKEW,
    SHARED_SECRET_ALGORITHM,
    BadToken,
    Check,
    ClaimRules,
    ExpiredToken,
    RefusedClaims,
    brief,
    claimed_issuer,
    read_claims,
    read_header,
)
from app.telemetry.bounded_log import BoundedLog

TOKEN_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")
"""Accepted values of the header `typ`, in lower case; many identity providers omit it."""

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
        """Return the shared secrets that may have signed a token; all of them if a provider chose the `kid`."""
        secrets = self._secrets.candidates(kid) or self._secrets.candidates(None)
        return [Candidate(secret, self._key) for secret in secrets]


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An issuer with its keys, which sign for no other issuer."""

    issuer: Issuer
    keys: KeySource
    subject_ids: SubjectIds


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a valid token says: who calls, and who issued it."""

    caller: Caller
    issuer: Issuer


class AccessTokens:
    """Verifies access tokens.

    Verified tokens are cached until they expire or their key is withdrawn. Refused ones are logged with the reason.

    Attributes:
        refused: How many tokens were refused, by the check that failed.
        hits: How many tokens had been verified before.
        misses: How many tokens had to be verified, whatever the result.
    """

    def __init__(
        self,
        providers: Sequence[IdentityProvider],
        runtime: Runtime,
        *,
        max_lifetime: int,
        clock_skew: float = CLOCK_SKEW,
        capacity: int = MAX_CACHED_TOKENS,
    ) -> None:
        """Create a verifier.

        Args:
            providers: The accepted issuers, at least one.
            runtime: The source of time.
            max_lifetime: Maximum seconds from `iat` to `exp`.
            clock_skew: Seconds that `iat` and `nbf` may lie in the future.
            capacity: How many verified tokens are cached.
        """
        self._providers = tuple(providers)
        self._rules = {
            provider.issuer.name: ClaimRules(
                provider.issuer.audiences,
                provider.issuer.audience_claims,
                provider.issuer.names,
                max_lifetime,
                clock_skew,
            )
            for provider in self._providers
        }
        self._by_issuer = {name: provider for provider in self._providers for name in provider.issuer.names}
        self._clock = runtime.clock
        self._capacity = capacity
        self._verified: OrderedDict[str, Caller] = OrderedDict()
        self.refused: Counter[str] = Counter()
        self.hits = 0
        self.misses = 0
        self._log = BoundedLog(structlog.get_logger(__name__), runtime)

    async def verify(self, token: str) -> Caller:
        """Return the caller whom `token` identifies.

        Raises:
            Unauthenticated: The token is expired or invalid. The error does not say why it is invalid.
            ServiceUnavailable: The keys are not known yet.
        """
        caller = self._verified.get(token)
        if caller is None or not caller.is_valid_at(self._now()):
            self._verified.pop(token, None)
            self.misses += 1
            try:
                caller = (await self.read(token)).caller
            except BadToken as refusal:
                raise self._refuse(refusal) from None
            self._verified[token] = caller
            if len(self._verified) > self._capacity:
                self._verified.popitem(last=False)
        else:
            self.hits += 1
        return caller

    async def read(self, token: str) -> VerifiedToken:
        """Verify `token`, whether it was verified before or not.

        Raises:
            BadToken: The token is expired or invalid; the error says why.
            ServiceUnavailable: The keys are not known yet.
        """
        header = read_header(token)
        if (header.typ or "").lower() not in TOKEN_TYPES:
            raise BadToken(Check.TYPE, f"the header `typ` is {brief(header.typ)}")
        providers = self._candidates(token)
        refusal = BadToken(Check.ALGORITHM, f"the header `alg` is {brief(header.algorithm)}")
        for provider in providers:
            if header.algorithm not in provider.keys.algorithms:
                continue
            try:
                candidates = await provider.keys.candidates(header.kid)
            except ServiceUnavailable:
                if len(providers) == 1:
                    raise
                continue
            try:
                verified = read_claims(
                    token,
                    [candidate.material for candidate in candidates],
                    algorithm=header.algorithm,
                    rules=self._rules[provider.issuer.name],
                    now=self._now(),
                )
            except (ExpiredToken, RefusedClaims):
                raise
            except BadToken as error:
                refusal = error if error.detail else BadToken(error.check, f"the header `kid` is {brief(header.kid)}")
                continue
            return VerifiedToken(
                _caller(provider, verified.claims, candidates[verified.key_index].key), provider.issuer
            )
        raise refusal

    def _candidates(self, token: str) -> tuple[IdentityProvider, ...]:
        """Return whose keys may have signed the token: those of the issuer that it names.

        A token that names an unknown issuer is never accepted. It is compared with all keys, in order to tell the token
        of a client whose issuer is set up in another way from a forged one.
        """
        if len(self._providers) == 1:
            return self._providers
        issuer = claimed_issuer(token)
        known = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        return self._providers if known is None else (known,)

    def _refuse(self, refusal: BadToken) -> Unauthenticated:
        self.refused[refusal.check.value] += 1
        is_expired = isinstance(refusal, ExpiredToken)
        is_signed = is_expired or isinstance(refusal, RefusedClaims)
        self._log.info(
            "access_token_refused",
            key=f"{refusal.check}, {'signed' if is_signed else 'not signed'}",
            check=refusal.check.value,
            detail=refusal.detail,
            signed=is_signed,
            advice=advice_for(refusal.check),
        )
        return Unauthenticated(expired=is_expired, signed=is_signed)

    def _now(self) -> float:
        return self._clock().timestamp()


def _caller(provider: IdentityProvider, claims: dict[str, Any], key: SigningKey) -> Caller:
    subject, mapping = claims["sub"], provider.issuer.claims
    user_id = provider.subject_ids.user_id(subject)
    return Caller(
        user_id=user_id,
        username=display_name(mapping.username_of(claims, subject), user_id),
        avatar_url=clean_avatar_url(mapping.avatar_of(claims)),
        role=mapping.role_of(claims),
        expires_at=int(claims["exp"]),
        signing_key=key,
    )


def mint(secrets: SigningKeys, *, subject: str, role: Role, ttl: int, issuer: Issuer, now: int) -> str:
    """Return an access token for development.

    Args:
        secrets: The signing keys.
        subject: The claim `sub`, which is also the username.
        role: The role of the caller.
        ttl: Seconds from `now` until the token expires.
        issuer: Who issues it.
        now: Seconds since the epoch.
    """
    claims = {
        **issuer.claims.claims_for(subject, role),
        "sub": subject,
        "iss": issuer.name,
        issuer.audience_claims[0]: min(issuer.audiences or {DEFAULT_AUDIENCE}),
        "iat": now,
        "exp": now + ttl,
    }
    return secrets.sign(claims, "at+jwt")
