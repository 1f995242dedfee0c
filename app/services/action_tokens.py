"""Action tokens: issued before an action, claimed after it, once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from sqlalchemy import text

from app.domain.catalogue import Action
from app.domain.errors import ActionTokenExpired, InvalidActionToken, TooManyOpenTokens, UserNotFound
from app.domain.rules import seconds
from app.domain.users import Caller
from app.services.database import Database
from app.services.group_commit import GroupCommit
from app.services.secrets import ALGORITHM, Secrets, decode, is_plausible

TYPE = "action+jwt"
AUDIENCE = "leaderboard-actions"
REQUIRED = ["sub", "act", "cat", "pts", "jti", "iat", "exp", "aud"]

LOCK_USERS = text("SELECT id FROM users WHERE id = ANY(CAST(:users AS uuid[])) ORDER BY id FOR NO KEY UPDATE")

# With the users locked, the count and the insert cannot be interleaved with another issue to the same user.
INSERT = text(
    """
    WITH wanted AS (
        SELECT * FROM unnest(
            CAST(:hashes AS bytea[]), CAST(:users AS uuid[]), CAST(:actions AS text[]), CAST(:points AS int[]),
            CAST(:issued AS timestamptz[]), CAST(:expires AS timestamptz[]), CAST(:attributes AS jsonb[])
        ) AS w(token_hash, user_id, action_id, points, issued_at, expires_at, attributes)
    ), inserted AS (
        INSERT INTO action_tokens (token_hash, user_id, action_id, points, issued_at, expires_at, attributes)
        SELECT w.* FROM wanted w
        WHERE (
            SELECT count(*) FROM action_tokens t
            WHERE t.user_id = w.user_id AND t.used_at IS NULL AND t.expires_at > w.issued_at
        ) < :most
        RETURNING token_hash
    )
    SELECT w.user_id, i.token_hash IS NOT NULL AS issued, (
        SELECT min(t.expires_at) FROM action_tokens t
        WHERE t.user_id = w.user_id AND t.used_at IS NULL AND t.expires_at > w.issued_at
    ) AS first_to_expire
    FROM wanted w LEFT JOIN inserted i USING (token_hash)
    """
)

OPEN = text("SELECT count(*) FROM action_tokens WHERE user_id = :user AND used_at IS NULL AND expires_at > :now")

DELETE_EXPIRED = text("DELETE FROM action_tokens WHERE expires_at < :before")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified action token says."""

    user_id: UUID
    action_id: str
    points: int
    token_hash: bytes
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """A new action token."""

    token: str
    action: Action
    points: int
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Row:
    token_hash: bytes
    user_id: UUID
    action_id: str
    points: int
    issued_at: datetime
    expires_at: datetime
    attributes: str | None


class ActionTokens:
    """Issues and verifies action tokens."""

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        *,
        lifetime: timedelta,
        max_open: int,
        batch: int,
        lanes: int,
    ) -> None:
        """`max_open`: tokens a user may hold unused. At most `batch` issues share one of `lanes` transactions."""
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._random_bytes = random_bytes
        self._lifetime = lifetime
        self._max_open = max_open
        self._queue = GroupCommit(self._store, size=batch, lanes=lanes, key=lambda row: row.user_id)

    async def issue(
        self, caller: Caller, action: Action, difficulty: str | None, attributes: str | None = None
    ) -> Issued:
        """A new token for `caller`, who must exist. `attributes` is the client's JSON, kept with the token.

        Raises InvalidAction for an unknown difficulty, TooManyOpenTokens, ServiceUnavailable.
        """
        now = self._clock()
        now = now.replace(microsecond=0)  # JWT times are whole seconds; the row says the same as the token.
        points, nonce = action.points_for(difficulty), self._random_bytes(16).hex()
        expires_at = now + self._lifetime
        row = _Row(hash_of(nonce), caller.user_id, action.id, points, now, expires_at, attributes)
        await self._queue.submit(row)
        claims = {
            "sub": str(caller.user_id),
            "act": action.id,
            "cat": action.category,
            "pts": points,
            "jti": nonce,
            "aud": AUDIENCE,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return Issued(self._secrets.sign(claims, TYPE), action, points, now, expires_at)

    def verify(self, token: str) -> Claims:
        """What `token` claims. Raises InvalidActionToken, with one answer for all that is wrong, or ActionTokenExpired.

        Whether it was used, and whether it is the caller's, is not looked at here.
        """
        if not is_plausible(token):
            raise InvalidActionToken
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TYPE or header.get("alg") != ALGORITHM:
                raise InvalidActionToken
            return _claims(self._decode(token, header.get("kid")))
        except jwt.ExpiredSignatureError:
            raise ActionTokenExpired from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError):
            raise InvalidActionToken from None

    async def count_open(self, user_id: UUID) -> int:
        """How many unused, unexpired tokens a user holds."""
        async with self._database.connect() as connection:
            count: int = (await connection.execute(OPEN, {"user": user_id, "now": self._clock()})).scalar_one()
            return count

    async def delete_expired(self) -> int:
        """Delete tokens that expired a day ago; the ledger remembers those that were used. Returns how many."""
        async with self._database.begin() as connection:
            before = self._clock() - timedelta(days=1)
            return (await connection.execute(DELETE_EXPIRED, {"before": before})).rowcount

    def _decode(self, token: str, kid: object) -> dict[str, Any]:
        for secret in self._secrets.candidates(kid):
            try:
                return decode(token, secret, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=None, require=REQUIRED)
            except jwt.InvalidSignatureError:
                continue
        raise InvalidActionToken

    async def _store(self, rows: Sequence[_Row]) -> Sequence[Exception | None]:
        values = {
            "hashes": [row.token_hash for row in rows],
            "users": [row.user_id for row in rows],
            "actions": [row.action_id for row in rows],
            "points": [row.points for row in rows],
            "issued": [row.issued_at for row in rows],
            "expires": [row.expires_at for row in rows],
            "attributes": [row.attributes for row in rows],
            "most": self._max_open,
        }
        async with self._database.begin() as connection:
            known = {row.id for row in await connection.execute(LOCK_USERS, {"users": values["users"]})}
            if len(known) < len(rows):
                return await self._store_known(rows, known)
            answers = {row.user_id: row for row in await connection.execute(INSERT, values)}
        return [self._outcome(row, answers[row.user_id]) for row in rows]

    async def _store_known(self, rows: Sequence[_Row], known: set[UUID]) -> Sequence[Exception | None]:
        """The rare case that a user vanished between the look and the lock: the others must not suffer."""
        rest = [row for row in rows if row.user_id in known]
        outcomes = iter(await self._store(rest) if rest else ())
        return [next(outcomes) if row.user_id in known else UserNotFound() for row in rows]

    def _outcome(self, row: _Row, answer: Any) -> Exception | None:
        if answer.issued:
            return None
        return TooManyOpenTokens(seconds(answer.first_to_expire - row.issued_at))


def hash_of(nonce: str) -> bytes:
    """What stands for a token in the database."""
    return hashlib.sha256(nonce.encode()).digest()


def _claims(claims: Mapping[str, Any]) -> Claims:
    issued_at, expires_at = (datetime.fromtimestamp(int(claims[name]), tz=UTC) for name in ("iat", "exp"))
    if not isinstance(claims["act"], str) or type(claims["pts"]) is not int or not isinstance(claims["jti"], str):
        raise InvalidActionToken
    return Claims(
        user_id=UUID(claims["sub"]),
        action_id=claims["act"],
        points=claims["pts"],
        token_hash=hash_of(claims["jti"]),
        issued_at=issued_at,
        expires_at=expires_at,
    )
