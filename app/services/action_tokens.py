"""Action tokens: issued before an action, claimed after it, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.domain.catalogue import Action
from app.domain.errors import TooManyOpenTokens, UserNotFound
from app.domain.rules import seconds
from app.domain.users import Caller
from app.services.action_claims import ActionClaims, Claims, hash_of
from app.services.database import Database
from app.services.group_commit import GroupCommit

# One array stands in a SELECT of its own, so that one plan serves batches of all sizes: see `app.models.ledger.STORE`.
LOCK_USERS = text(
    """
    SELECT id FROM users WHERE id = ANY(CAST((SELECT CAST(:users AS uuid[])) AS uuid[]))
    ORDER BY id FOR NO KEY UPDATE
    """
)

# With the users locked, the count and the insert cannot be interleaved with another issue to the same user.
INSERT = text(
    """
    WITH wanted AS (
        SELECT * FROM unnest(
            (SELECT CAST(:hashes AS bytea[])), CAST(:users AS uuid[]), CAST(:actions AS text[]), CAST(:points AS int[]),
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
    SELECT w.user_id, w.issued_at, i.token_hash IS NOT NULL AS issued, CASE WHEN i.token_hash IS NULL THEN (
        SELECT min(t.expires_at) FROM action_tokens t
        WHERE t.user_id = w.user_id AND t.used_at IS NULL AND t.expires_at > w.issued_at
    ) END AS first_to_expire
    FROM wanted w LEFT JOIN inserted i USING (token_hash)
    """
)

OPEN = text("SELECT count(*) FROM action_tokens WHERE user_id = :user AND used_at IS NULL AND expires_at > :now")

DELETE_EXPIRED = text("DELETE FROM action_tokens WHERE expires_at < :before")


@dataclass(frozen=True, slots=True)
class Issued:
    """A new action token."""

    token: str
    action: Action
    points: int
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Wanted:
    claims: Claims
    attributes: str | None


class ActionTokens:
    """Issues action tokens, and knows which are open."""

    def __init__(
        self,
        database: Database,
        claims: ActionClaims,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        *,
        lifetime: timedelta,
        max_open: int,
        batch: int,
        lanes: int,
        worth: int = 1,
    ) -> None:
        """`max_open`: tokens a user may hold unused. At most `batch` issues share one of `lanes` transactions, and as
        many as are `worth` it wait before one more is begun.
        """
        self._database = database
        self._claims = claims
        self._clock = clock
        self._random_bytes = random_bytes
        self._lifetime = lifetime
        self._max_open = max_open
        self._queue = GroupCommit(
            self._store, size=batch, lanes=lanes, worth=lambda: worth, key=lambda wanted: wanted.claims.user_id
        )

    async def issue(
        self, caller: Caller, action: Action, difficulty: str | None, attributes: str | None = None
    ) -> Issued:
        """A new token for `caller`, who must exist. `attributes` is the client's JSON, kept with the token.

        Raises InvalidAction for an unknown difficulty, TooManyOpenTokens, ServiceUnavailable.
        """
        now = self._clock()
        points, nonce = action.points_for(difficulty), self._random_bytes(16).hex()
        expires_at = now.replace(microsecond=0) + self._lifetime
        claims = Claims(caller.user_id, action.id, points, hash_of(nonce), now, expires_at)
        await self._queue.submit(_Wanted(claims, attributes))
        return Issued(self._claims.sign(claims, action.category, nonce), action, points, now, claims.expires_at)

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

    async def _store(self, batch: Sequence[_Wanted]) -> Sequence[Exception | None]:
        async with self._database.driver() as connection, connection.transaction():
            users = [wanted.claims.user_id for wanted in batch]
            known = {row.id for row in await connection.execute(LOCK_USERS, {"users": users})}
            rows = [wanted for wanted in batch if wanted.claims.user_id in known]
            answers = await connection.execute(INSERT, self._columns(rows)) if rows else ()
        outcomes = {row.user_id: _outcome(row) for row in answers}
        return [outcomes.get(user_id, UserNotFound()) for user_id in users]

    def _columns(self, rows: Sequence[_Wanted]) -> dict[str, Any]:
        claims = [wanted.claims for wanted in rows]
        return {
            "hashes": [one.token_hash for one in claims],
            "users": [one.user_id for one in claims],
            "actions": [one.action_id for one in claims],
            "points": [one.points for one in claims],
            "issued": [one.issued_at for one in claims],
            "expires": [one.expires_at for one in claims],
            "attributes": [wanted.attributes for wanted in rows],
            "most": self._max_open,
        }


def _outcome(row: Any) -> Exception | None:
    return None if row.issued else TooManyOpenTokens(seconds(row.first_to_expire - row.issued_at))
