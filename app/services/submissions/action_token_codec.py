"""Action tokens as text: what they claim, signed and verified."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.domain.errors import ActionTokenExpired, InvalidActionToken
from app.services.auth.jwt_claims import (
    SHARED_SECRET_ALGORITHM,
    BadToken,
    ExpiredToken,
    read_claims,
    read_header,
)
from app.services.auth.signing_keys import SigningKeys

TYPE = "action+jwt"
AUDIENCE = "leaderboard-actions"


@dataclass(frozen=True, slots=True)
class ActionTokenClaims:
    """What a verified action token says."""

    user_id: UUID
    action_id: str
    points: int
    token_hash: bytes
    issued_at: datetime
    expires_at: datetime


class ActionClaims:
    """Turns claims into tokens and back.

    A token that this process signed is known by its text, and need not be decoded when it comes back.
    """

    def __init__(self, secrets: SigningKeys, clock: Callable[[], datetime], capacity: int = 50_000) -> None:
        """`capacity`: how many tokens of its own the process remembers; the oldest are forgotten first."""
        self._secrets = secrets
        self._clock = clock
        self._capacity = capacity
        self._signed: OrderedDict[str, ActionTokenClaims] = OrderedDict()

    def sign(self, claims: ActionTokenClaims, category: str, nonce: str) -> str:
        """The token for `claims`; `nonce` is what `token_hash` is the hash of."""
        token = self._secrets.sign(
            {
                "sub": str(claims.user_id),
                "act": claims.action_id,
                "cat": category,
                "pts": claims.points,
                "jti": nonce,
                "aud": AUDIENCE,
                "iat": claims.issued_at.timestamp(),  # With its fraction: an action of one second takes a whole one.
                "exp": int(claims.expires_at.timestamp()),
            },
            TYPE,
        )
        self._signed[token] = claims
        if len(self._signed) > self._capacity:
            self._signed.popitem(last=False)
        return token

    def verify(self, token: str) -> ActionTokenClaims:
        """What `token` claims. Raises InvalidActionToken, with one answer for all that is wrong, or ActionTokenExpired.

        Whether it was used, and whether it is the caller's, is not looked at here.
        """
        known = self._signed.get(token)
        if known is None:
            return self._decode(token)
        if known.expires_at <= self._clock():
            raise ActionTokenExpired(known.token_hash)
        return known

    def _decode(self, token: str) -> ActionTokenClaims:
        try:
            header = read_header(token)
            if header.typ != TYPE or header.algorithm != SHARED_SECRET_ALGORITHM:
                raise BadToken
            keys = self._secrets.candidates(header.kid)
            now = self._clock().timestamp()
            try:
                return _claims(
                    read_claims(token, keys, algorithm=SHARED_SECRET_ALGORITHM, audience=AUDIENCE, now=now).claims
                )
            except ExpiredToken as late:
                raise ActionTokenExpired(_claims(late.claims).token_hash) from None
        except (BadToken, ValueError):
            raise InvalidActionToken from None


def hash_of(nonce: str) -> bytes:
    """What stands for a token in the database."""
    return hashlib.sha256(nonce.encode()).digest()


def _claims(claims: Mapping[str, Any]) -> ActionTokenClaims:
    """Raises BadToken, ValueError."""
    action_id, points, nonce = claims.get("act"), claims.get("pts"), claims.get("jti")
    if type(action_id) is not str or type(points) is not int or type(nonce) is not str:
        raise BadToken
    issued_at, expires_at = (datetime.fromtimestamp(claims[name], tz=UTC) for name in ("iat", "exp"))
    return ActionTokenClaims(UUID(claims["sub"]), action_id, points, hash_of(nonce), issued_at, expires_at)
