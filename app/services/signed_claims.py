"""Reading the claims of a signed token (JWT), strictly: there is one way to write a good token, and no second one.

PyJWT checks the encoding and the signature. What the token says is checked here, because PyJWT takes times in
strings, `true` for 1, and the last of repeated members, in which two readers of one token may disagree.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jwt

MAX_TOKEN_LENGTH = 4096

COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""Three parts in base64url. PyJWT would take padding as well, so that one token had several spellings."""

CLOCK_SKEW = 10
"""Seconds by which a token may seem to come from the future. Nothing is added to its end."""

LATEST = 253_402_300_799
"""The last second of the year 9999: times beyond it are no times."""

HARMFUL_HEADERS = frozenset({"b64", "crit", "jku", "jwk", "x5c", "x5u", "zip"})
"""Headers by which a token would choose its own key, or ask for a reading of itself that is not this one."""

_signatures = jwt.PyJWS(options={"enforce_minimum_key_length": True})


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
    if len(token) > MAX_TOKEN_LENGTH or not COMPACT.fullmatch(token):
        raise BadToken
    try:
        header = _members(jwt.utils.base64url_decode(token.partition(".")[0]))
    except ValueError:
        raise BadToken from None
    algorithm, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if type(algorithm) is not str or not (kid is None or type(kid) is str) or not (typ is None or type(typ) is str):
        raise BadToken
    if ("kid" in header and kid is None) or ("typ" in header and typ is None) or header.keys() & HARMFUL_HEADERS:
        raise BadToken
    return Header(algorithm, kid, typ)


def read_claims(
    token: str,
    keys: Sequence[Any],
    *,
    algorithm: str,
    audience: str,
    issuer: str | None = None,
    now: float,
) -> dict[str, Any]:
    """What `token` claims, signed with one of `keys`: at least `sub`, `aud`, `iat`, `exp`, and `iss` if it is given.

    `now` is in seconds since the epoch. Raises ExpiredToken, BadToken.
    """
    for key in keys:
        try:
            payload = _signatures.decode(token, key, [algorithm])
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError):
            raise BadToken from None
        claims = _members(payload)
        _check(claims, audience, issuer, now)
        return claims
    raise BadToken


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


def _check(claims: Mapping[str, Any], audience: str, issuer: str | None, now: float) -> None:
    subject = claims.get("sub")
    if type(subject) is not str or not subject:
        raise BadToken
    if claims.get("aud") != audience or (issuer is not None and claims.get("iss") != issuer):
        raise BadToken
    for name in ("iat", "nbf") if "nbf" in claims else ("iat",):
        if _time(claims.get(name)) > now + CLOCK_SKEW:
            raise BadToken
    if _time(claims.get("exp")) <= now:
        raise ExpiredToken(claims)


def _time(claim: object) -> float:
    """A NumericDate. Raises BadToken for anything else, a number in a string and a boolean among it."""
    if type(claim) not in (int, float):
        raise BadToken
    time = float(claim) if abs(claim) <= LATEST else math.inf  # type: ignore[arg-type]
    if not 0 <= time <= LATEST:
        raise BadToken
    return time
