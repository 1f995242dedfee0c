"""Strict reading of the claims of a signed token (JWT): every valid token has exactly one accepted spelling.

Signatures are verified by PyJWT. The claims are checked here, because PyJWT accepts times in strings, `true` for 1, and
the last of repeated members, about which two readers of one token may disagree. A shared secret is prepared once
instead of with every token.
"""

from __future__ import annotations

import json
import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import jwt
from jwt.algorithms import HMACAlgorithm

from app.domain.identity.claim_mapping import claim_at
from app.domain.users import MAX_SUBJECT_LENGTH

MAX_TOKEN_LENGTH = 8192
"""Maximum characters of a token."""

MAX_BRACKETS = 256
"""The number of `[` and `{` that a header or the claims may contain. It bounds their nesting, which each version of
Python limits elsewhere."""

COMPACT_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""Three parts in base64url. PyJWT would accept padding as well, which gives a token several spellings."""

CLOCK_SKEW = 10
"""Seconds that `iat` and `nbf` may lie in the future, unless `ClaimRules` say otherwise."""

MAX_DETAIL = 200
"""Maximum characters of a value from a token in `BadToken.detail`."""

MAX_TIMESTAMP = 253_402_300_799
"""The last second of the year 9999; later times are invalid."""

FORBIDDEN_HEADERS = frozenset({"b64", "crit", "jku", "jwk", "x5c", "x5u", "zip"})
"""Headers by which a token would choose its own key, or require an encoding that is not supported."""

SHARED_SECRET_ALGORITHM = "HS256"
"""The only algorithm whose keys are secrets. Other keys are never used as secrets, nor secrets as other keys."""

_signatures = jwt.PyJWS(options={"enforce_minimum_key_length": True})
_hmac = HMACAlgorithm(HMACAlgorithm.SHA256)


class Check(StrEnum):
    """The checks of a token, in their order."""

    FORM = "form"
    TYPE = "type"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    SUBJECT = "subject"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    ISSUED_AT = "issued_at"
    NOT_BEFORE = "not_before"
    LIFETIME = "lifetime"
    EXPIRY = "expiry"


class BadToken(Exception):
    """The token is invalid. Clients are not told why; the log and `leaderboard token --explain` are.

    Attributes:
        check: The check that failed.
        detail: What was found and what was expected, without the token or a secret.
    """

    def __init__(self, check: Check = Check.FORM, detail: str = "") -> None:
        self.check = check
        self.detail = detail
        super().__init__(check, detail)


class RefusedClaims(BadToken):
    """A trusted key signed the token, but its claims are not those of a valid token."""


class ExpiredToken(BadToken):
    """The token is valid except that it has expired. `claims` are its claims."""

    def __init__(self, claims: Mapping[str, Any], detail: str = "") -> None:
        self.claims = claims
        super().__init__(Check.EXPIRY, detail)


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What the claims of a token must be.

    Attributes:
        audiences: The token must be for one of these; None accepts any token.
        audience_claims: The claims that say for whom it is, each a text or a list of texts.
        issuers: The accepted `iss`; None accepts any.
        max_lifetime: Maximum seconds from `iat` to `exp`.
        clock_skew: Seconds that `iat` and `nbf` may lie in the future. The end of a token is not extended.
    """

    audiences: frozenset[str] | None
    audience_claims: tuple[str, ...] = ("aud",)
    issuers: frozenset[str] | None = None
    max_lifetime: float = math.inf
    clock_skew: float = CLOCK_SKEW


class TokenHeader(NamedTuple):
    """The header of a token, read before its signature is verified."""

    algorithm: str
    kid: str | None
    typ: str | None


class VerifiedClaims(NamedTuple):
    """The claims of a valid token, and the index of the key that signed it among the given keys."""

    claims: dict[str, Any]
    key_index: int


def read_header(token: str) -> TokenHeader:
    """Return the header of `token`. Raises BadToken."""
    if len(token) > MAX_TOKEN_LENGTH or not COMPACT_JWT.fullmatch(token):
        raise BadToken
    return _header(token.partition(".")[0])


@lru_cache(maxsize=256)
def _header(segment: str) -> TokenHeader:
    """Parse an encoded header; it is the same for all tokens of one key. Raises BadToken."""
    header = _parse_object(_decode_base64url(segment))
    algorithm, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if type(algorithm) is not str or not (kid is None or type(kid) is str) or not (typ is None or type(typ) is str):
        raise BadToken
    if ("kid" in header and kid is None) or ("typ" in header and typ is None) or header.keys() & FORBIDDEN_HEADERS:
        raise BadToken
    return TokenHeader(algorithm, kid, typ)


def read_claims(token: str, keys: Sequence[Any], *, algorithm: str, rules: ClaimRules, now: float) -> VerifiedClaims:
    """Verify `token` and return its claims: at least `sub`, `iat` and `exp`, and what `rules` require.

    Args:
        token: The token.
        keys: The keys that may have signed it: keys of PyJWT, and shared secrets as `shared_secret` returns them.
        algorithm: The algorithm in the header of this token, which the caller has accepted.
        rules: What the claims must be.
        now: Seconds since the epoch.

    Raises:
        ExpiredToken: The token is valid except that it has expired.
        RefusedClaims: One of the keys signed the token, and its claims are refused.
        BadToken: None of the keys signed the token.
    """
    content, _, signature = token.rpartition(".")
    raw = _decode_base64url(signature)
    if urlsafe_b64encode(raw).rstrip(b"=") != signature.encode():
        raise BadToken  # The last character may have unused bits, which would allow another spelling of the same bytes.
    for index, key in enumerate(keys):
        if _is_signed_by(key, token, content, raw, algorithm):
            try:
                claims = _parse_claims(content)
                _check(claims, rules, now)
            except ExpiredToken:
                raise
            except BadToken as refusal:
                raise RefusedClaims(refusal.check, refusal.detail) from None
            return VerifiedClaims(claims, index)
    raise BadToken(Check.SIGNATURE if keys else Check.KEY)


def claimed_issuer(token: str) -> object:
    """Return the `iss` of a token whose signature was not verified: whose keys it must be verified with.

    Raises:
        BadToken: The claims cannot be read.
    """
    return _parse_claims(token.rpartition(".")[0]).get("iss")


def brief(value: object) -> str:
    """Return a value from a token as text of limited length, for the log."""
    text = repr(value)
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"


def shared_secret(text: str) -> bytes:
    """Prepare a shared secret for `read_claims`.

    Raises:
        ValueError: The secret has fewer than 32 bytes, or is a public key.
    """
    try:
        secret = _hmac.prepare_key(text)
    except jwt.InvalidKeyError as error:
        raise ValueError(str(error)) from None
    if problem := _hmac.check_key_length(secret):
        raise ValueError(problem)
    return secret


def _is_signed_by(key: Any, token: str, content: str, signature: bytes, algorithm: str) -> bool:
    """Return whether `key` made `signature`. Raises BadToken for a key that is not for `algorithm`."""
    if type(key) is bytes:
        if algorithm != SHARED_SECRET_ALGORITHM:
            raise BadToken(Check.ALGORITHM)
        return _hmac.verify(content.encode(), key, signature)
    try:
        _signatures.decode(token, key, [algorithm])
    except jwt.InvalidSignatureError:
        return False
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise BadToken(Check.ALGORITHM, brief(error)) from None
    return True


def _parse_claims(content: str) -> dict[str, Any]:
    """Parse the claims of a token without its signature. Raises BadToken."""
    try:
        return _parse_object(_decode_base64url(content.partition(".")[2]))
    except BadToken:
        raise BadToken(Check.CLAIMS) from None


def _decode_base64url(segment: str) -> bytes:
    """Decode base64url without padding. Raises BadToken."""
    try:
        return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise BadToken from None


def _parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object without repeated members. Raises BadToken."""
    if raw.count(b"[") + raw.count(b"{") > MAX_BRACKETS:
        raise BadToken
    try:
        members = _decoder.decode(raw.decode())
    except ValueError:
        raise BadToken from None
    if type(members) is not dict:
        raise BadToken
    return members


def _reject_repeated_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise BadToken
    return members


def _reject_constant(name: str) -> None:
    raise BadToken  # NaN and Infinity are not JSON, but Python reads them.


_decoder = json.JSONDecoder(object_pairs_hook=_reject_repeated_members, parse_constant=_reject_constant)


def _check(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> None:
    subject = claims.get("sub")
    if type(subject) is not str or not 0 < len(subject) <= MAX_SUBJECT_LENGTH or not _is_encodable(subject):
        raise BadToken(Check.SUBJECT, f"`sub` must be a text of 1 to {MAX_SUBJECT_LENGTH} characters: {brief(subject)}")
    if rules.issuers is not None and claims.get("iss") not in list(rules.issuers):
        raise BadToken(Check.ISSUER, f"`iss` is {brief(claims.get('iss'))}, and not {_listed(rules.issuers)}")
    if rules.audiences is not None and not any(
        rules.audiences & _audiences(claim_at(claims, name)) for name in rules.audience_claims
    ):
        given = ", ".join(f"`{name}` is {brief(claims.get(name))}" for name in rules.audience_claims)
        raise BadToken(Check.AUDIENCE, f"{given}, and not {_listed(rules.audiences)}")
    for name, check in (("iat", Check.ISSUED_AT), ("nbf", Check.NOT_BEFORE))[: 2 if "nbf" in claims else 1]:
        ahead = _numeric_date(claims.get(name), name, check) - now
        if ahead > rules.clock_skew:
            raise BadToken(check, f"`{name}` is {ahead:.0f} s in the future; {rules.clock_skew:g} s are tolerated")
    expires_at = _numeric_date(claims.get("exp"), "exp", Check.EXPIRY)
    lifetime = expires_at - claims["iat"]
    if lifetime > rules.max_lifetime:
        raise BadToken(Check.LIFETIME, f"the token lives {lifetime:.0f} s; the maximum is {rules.max_lifetime:.0f} s")
    if expires_at <= now:
        raise ExpiredToken(claims, f"the token expired {now - expires_at:.0f} s ago")


def _audiences(claim: object) -> frozenset[str]:
    """Return the audiences in a claim: a text or a list of texts (RFC 7519, section 4.1.3)."""
    if type(claim) is str:
        return frozenset((claim,))
    if type(claim) is list and all(type(audience) is str for audience in claim):
        return frozenset(claim)
    return frozenset()


def _listed(accepted: frozenset[str]) -> str:
    return " or ".join(f"`{one}`" for one in sorted(accepted))


def _is_encodable(text: str) -> bool:
    """Return whether a text can be encoded: JSON can express surrogates that are not part of a pair."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _numeric_date(claim: object, name: str, check: Check) -> float:
    """Return a NumericDate. Raises BadToken for anything else, including numbers in strings and booleans."""
    if type(claim) in (int, float):
        time = float(claim) if abs(claim) <= MAX_TIMESTAMP else math.inf  # type: ignore[arg-type]
        if 0 <= time <= MAX_TIMESTAMP:
            return time
    raise BadToken(check, f"`{name}` must be a number of seconds since 1970: {brief(claim)}")
