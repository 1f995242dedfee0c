"""The codec of action tokens: claims are signed and verified as JSON Web Tokens."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import NoneType
from typing import Any
from uuid import UUID

from app.domain.errors import ActionTokenExpired, InvalidActionToken
from app.runtime import Runtime
from app.services.auth.signing_keys import SigningKeys
from app.services.auth.verify_jwt import (
    SHARED_SECRET_ALGORITHM,
    BadToken,
    ClaimRules,
    ExpiredToken,
    read_claims,
    read_header,
)

TYPE = "action+jwt"
AUDIENCE = "leaderboard-actions"
RULES = ClaimRules(frozenset({AUDIENCE}))


@dataclass(frozen=True, slots=True)
class ActionTokenClaims:
    """The claims of a verified action token. `points` is None if the verifier states the value of the action."""

    user_id: UUID
    action_id: str
    points: int | None
    token_hash: bytes
    issued_at: datetime
    expires_at: datetime


class ActionTokenCodec:
    """Encodes claims as tokens and decodes them.

    Tokens that this process signed are cached with their claims, and need no decoding.
    """

    def __init__(self, secrets: SigningKeys, runtime: Runtime, capacity: int = 50_000) -> None:
        """Create a codec with an empty cache.

        Args:
            secrets: The keys that sign and verify tokens.
            runtime: The source of time, for the expiry of tokens.
            capacity: How many tokens are cached; the oldest are evicted first.
        """
        self._secrets = secrets
        self._runtime = runtime
        self._capacity = capacity
        self._signed: OrderedDict[str, ActionTokenClaims] = OrderedDict()

    def sign(self, claims: ActionTokenClaims, category: str, nonce: str) -> str:
        """Return the token of `claims`; `nonce` is the text whose hash is `token_hash`."""
        token = self._secrets.sign(
            {
                "sub": str(claims.user_id),
                "act": claims.action_id,
                "cat": category,
                "pts": claims.points,
                "jti": nonce,
                "aud": AUDIENCE,
                # With its fraction, so that a minimum duration of one second is exact.
                "iat": claims.issued_at.timestamp(),
                "exp": int(claims.expires_at.timestamp()),
            },
            TYPE,
        )
        self._signed[token] = claims
        if len(self._signed) > self._capacity:
            self._signed.popitem(last=False)
        return token

    def verify(self, token: str) -> ActionTokenClaims:
        """Return the claims of `token`. The caller checks whose it is, the ledger whether it was used.

        Raises:
            InvalidActionToken: The token is not one of this service; the error does not say why.
            ActionTokenExpired: The token is valid and expired.
        """
        cached = self._signed.get(token)
        if cached is None:
            return self._decode(token)
        if cached.expires_at <= self._runtime.clock():
            raise ActionTokenExpired(cached.token_hash)
        return cached

    def _decode(self, token: str) -> ActionTokenClaims:
        try:
            header = read_header(token)
            if header.typ != TYPE or header.algorithm != SHARED_SECRET_ALGORITHM:
                raise BadToken
            keys = self._secrets.candidates(header.kid)
            now = self._runtime.clock().timestamp()
            try:
                return _claims(read_claims(token, keys, algorithm=SHARED_SECRET_ALGORITHM, rules=RULES, now=now).claims)
            except ExpiredToken as late:
                raise ActionTokenExpired(_claims(late.claims).token_hash) from None
        except (BadToken, ValueError):
            raise InvalidActionToken from None


def hash_of(nonce: str) -> bytes:
    """Return the hash that identifies a token in the database."""
    return hashlib.sha256(nonce.encode()).digest()


def _claims(claims: Mapping[str, Any]) -> ActionTokenClaims:
    """Return typed claims. Raises BadToken, ValueError."""
    action_id, points, nonce = claims.get("act"), claims.get("pts"), claims.get("jti")
    if type(action_id) is not str or type(points) not in (int, NoneType) or type(nonce) is not str:
        raise BadToken
    issued_at, expires_at = (datetime.fromtimestamp(claims[name], tz=UTC) for name in ("iat", "exp"))
    return ActionTokenClaims(UUID(claims["sub"]), action_id, points, hash_of(nonce), issued_at, expires_at)
