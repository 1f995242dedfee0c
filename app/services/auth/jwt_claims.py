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
from functools import lru_cache
from typing import Any, NamedTuple

import jwt
from jwt.algorithms import HMACAlgorithm

MAX_TOKEN_LENGTH = 8192
"""Maximum characters of a token."""

MAX_BRACKETS = 256
"""The number of `[` and `{` that a header or the claims may contain. It bounds their nesting, which each version of
Python limits elsewhere."""

COMPACT_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""Three parts in base64url. PyJWT would accept padding as well, which gives a token several spellings."""

CLOCK_SKEW = 10
"""Seconds that `iat` and `nbf` may lie in the future. The end of a token is not extended."""

MAX_TIMESTAMP = 253_402_300_799
"""The last second of the year 9999; later times are invalid."""

FORBIDDEN_HEADERS = frozenset({"b64", "crit", "jku", "jwk", "x5c", "x5u", "zip"})
"""Headers by which a token would choose its own key, or require an encoding that is not supported."""

SHARED_SECRET_ALGORITHM = "HS256"
"""The only algorithm whose keys are secrets. Other keys are never used as secrets, nor secrets as other keys."""

_signatures = jwt.PyJWS(options={"enforce_minimum_key_length": True})
_hmac = HMACAlgorithm(HMACAlgorithm.SHA256)


class BadToken(Exception):
    """The token is invalid. The error deliberately does not say why."""


class RefusedClaims(BadToken):
    """A trusted key signed the token, but its claims are not those of a valid token."""


class ExpiredToken(BadToken):
    """The token is valid except that it has expired. `claims` are its claims."""

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self.claims = claims
        super().__init__()


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


def read_claims(
    token: str,
    keys: Sequence[Any],
    *,
    algorithm: str,
    audience: str,
    issuer: str | None = None,
    max_lifetime: float = math.inf,
    now: float,
) -> VerifiedClaims:
    """Verify `token` and return its claims: at least `sub`, `aud`, `iat` and `exp`, and `iss` if `issuer` is given.

    Args:
        token: The token.
        keys: The keys that may have signed it: keys of PyJWT, and shared secrets as `shared_secret` returns them.
        algorithm: The algorithm in the header of this token, which the caller has accepted.
        audience: The required `aud`.
        issuer: The required `iss`; None accepts any.
        max_lifetime: Maximum seconds from `iat` to `exp`.
        now: Seconds since the epoch.

    Raises:
        ExpiredToken: The token is valid except that it has expired.
        BadToken: The token is invalid in any other way.
    """
    content, _, signature = token.rpartition(".")
    raw = _decode_base64url(signature)
    if urlsafe_b64encode(raw).rstrip(b"=") != signature.encode():
        raise BadToken  # The last character may have unused bits, which would allow another spelling of the same bytes.
    for index, key in enumerate(keys):
        if _is_signed_by(key, token, content, raw, algorithm):
            try:
                claims = _parse_object(_decode_base64url(content.partition(".")[2]))
                _check(claims, audience, issuer, max_lifetime, now)
            except ExpiredToken:
                raise
            except BadToken:
                raise RefusedClaims from None
            return VerifiedClaims(claims, index)
    raise BadToken


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
            raise BadToken
        return _hmac.verify(content.encode(), key, signature)
    try:
        _signatures.decode(token, key, [algorithm])
    except jwt.InvalidSignatureError:
        return False
    except (jwt.PyJWTError, ValueError, TypeError):
        raise BadToken from None
    return True


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


def _check(claims: Mapping[str, Any], audience: str, issuer: str | None, max_lifetime: float, now: float) -> None:
    subject = claims.get("sub")
    if type(subject) is not str or not subject:
        raise BadToken
    if claims.get("aud") != audience or (issuer is not None and claims.get("iss") != issuer):
        raise BadToken
    for name in ("iat", "nbf") if "nbf" in claims else ("iat",):
        if _numeric_date(claims.get(name)) > now + CLOCK_SKEW:
            raise BadToken
    expires_at = _numeric_date(claims.get("exp"))
    if expires_at - claims["iat"] > max_lifetime:
        raise BadToken
    if expires_at <= now:
        raise ExpiredToken(claims)


def _numeric_date(claim: object) -> float:
    """Return a NumericDate. Raises BadToken for anything else, including numbers in strings and booleans."""
    if type(claim) not in (int, float):
        raise BadToken
    time = float(claim) if abs(claim) <= MAX_TIMESTAMP else math.inf  # type: ignore[arg-type]
    if not 0 <= time <= MAX_TIMESTAMP:
        raise BadToken
    return time
