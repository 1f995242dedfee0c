"""Reading the claims of a signed token (JWT), strictly: there is one way to write a good token, and no second one.

Signatures are verified by PyJWT. What the token says is checked here, because PyJWT takes times in strings, `true` for
1, and the last of repeated members, in which two readers of one token may disagree. A shared secret is prepared once,
not with every token.
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

MAX_TOKEN_LENGTH = 4096

COMPACT_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""Three parts in base64url. PyJWT would take padding as well, so that one token had several spellings."""

CLOCK_SKEW = 10
"""Seconds by which a token may seem to come from the future. Nothing is added to its end."""

MAX_TIMESTAMP = 253_402_300_799
"""The last second of the year 9999: times beyond it are no times."""

FORBIDDEN_HEADERS = frozenset({"b64", "crit", "jku", "jwk", "x5c", "x5u", "zip"})
"""Headers by which a token would choose its own key, or ask for a reading of itself that is not this one."""

SHARED_SECRET_ALGORITHM = "HS256"
"""The one algorithm whose keys are secrets. A key of any other kind never stands for a secret, nor the reverse."""

_signatures = jwt.PyJWS(options={"enforce_minimum_key_length": True})
_hmac = HMACAlgorithm(HMACAlgorithm.SHA256)


class BadToken(Exception):
    """The token is not one of ours. There is no more to say to whoever sent it."""


class ExpiredToken(BadToken):
    """The token is right in all but its time; `claims` is what it said."""

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self.claims = claims
        super().__init__()


class Header(NamedTuple):
    """What a token says of its signature, before that is verified."""

    algorithm: str
    kid: str | None
    typ: str | None


def read_header(token: str) -> Header:
    """The header of `token`. Raises BadToken."""
    if len(token) > MAX_TOKEN_LENGTH or not COMPACT_JWT.fullmatch(token):
        raise BadToken
    return _header(token.partition(".")[0])


@lru_cache(maxsize=256)
def _header(segment: str) -> Header:
    """What a header says: all tokens of one key begin with the same. Raises BadToken."""
    header = _members(_decoded(segment))
    algorithm, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if type(algorithm) is not str or not (kid is None or type(kid) is str) or not (typ is None or type(typ) is str):
        raise BadToken
    if ("kid" in header and kid is None) or ("typ" in header and typ is None) or header.keys() & FORBIDDEN_HEADERS:
        raise BadToken
    return Header(algorithm, kid, typ)


def read_claims(
    token: str,
    keys: Sequence[Any],
    *,
    algorithm: str,
    audience: str,
    issuer: str | None = None,
    max_lifetime: float = math.inf,
    now: float,
) -> tuple[dict[str, Any], int]:
    """Read what `token` claims: at least `sub`, `aud`, `iat`, `exp`, and `iss` if it is given.

    Args:
        token: The token.
        keys: What may have signed it: keys of PyJWT, and shared secrets as `shared_secret` returns them.
        algorithm: What `read_header` said of this very token, and the caller accepts.
        audience: What `aud` must be.
        issuer: What `iss` must be, if it matters.
        max_lifetime: The most seconds from `iat` to `exp`.
        now: Seconds since the epoch.

    Returns:
        The claims, and the place among `keys` of the one that signed them.

    Raises:
        ExpiredToken: The token is right in all but its time.
        BadToken: It is wrong in anything else.
    """
    content, _, signature = token.rpartition(".")
    raw = _decoded(signature)
    if urlsafe_b64encode(raw).rstrip(b"=") != signature.encode():
        raise BadToken  # The last character may have bits that carry nothing: another spelling of the same bytes.
    for place, key in enumerate(keys):
        if _is_signed_by(key, token, content, raw, algorithm):
            claims = _members(_decoded(content.partition(".")[2]))
            _check(claims, audience, issuer, max_lifetime, now)
            return claims, place
    raise BadToken


def shared_secret(text: str) -> bytes:
    """A shared secret as `read_claims` takes it.

    Raises ValueError for one of fewer than 32 bytes, and for what is a public key in truth.
    """
    try:
        secret = _hmac.prepare_key(text)
    except jwt.InvalidKeyError as error:
        raise ValueError(str(error)) from None
    if problem := _hmac.check_key_length(secret):
        raise ValueError(problem)
    return secret


def _is_signed_by(key: Any, token: str, content: str, signature: bytes, algorithm: str) -> bool:
    """Whether `key` made `signature`. Raises BadToken for a key that is of another kind than `algorithm`."""
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


def _decoded(segment: str) -> bytes:
    """The bytes behind base64url without padding. Raises BadToken."""
    try:
        return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise BadToken from None


def _members(raw: bytes) -> dict[str, Any]:
    """The members of a JSON object that says nothing twice. Raises BadToken."""
    try:
        members = _decoder.decode(raw.decode())
    except (ValueError, RecursionError):
        raise BadToken from None
    if type(members) is not dict:
        raise BadToken
    return members


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise BadToken
    return members


def _no_constant(name: str) -> None:
    raise BadToken  # NaN and Infinity are no JSON, though Python reads them.


_decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _check(claims: Mapping[str, Any], audience: str, issuer: str | None, max_lifetime: float, now: float) -> None:
    subject = claims.get("sub")
    if type(subject) is not str or not subject:
        raise BadToken
    if claims.get("aud") != audience or (issuer is not None and claims.get("iss") != issuer):
        raise BadToken
    for name in ("iat", "nbf") if "nbf" in claims else ("iat",):
        if _time(claims.get(name)) > now + CLOCK_SKEW:
            raise BadToken
    expires_at = _time(claims.get("exp"))
    if expires_at - claims["iat"] > max_lifetime:
        raise BadToken
    if expires_at <= now:
        raise ExpiredToken(claims)


def _time(claim: object) -> float:
    """A NumericDate. Raises BadToken for anything else, a number in a string and a boolean among it."""
    if type(claim) not in (int, float):
        raise BadToken
    time = float(claim) if abs(claim) <= MAX_TIMESTAMP else math.inf  # type: ignore[arg-type]
    if not 0 <= time <= MAX_TIMESTAMP:
        raise BadToken
    return time
