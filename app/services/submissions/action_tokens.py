"""Action tokens: issued before an action, claimed after it, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.domain.catalogue.catalogue import Action
from app.domain.errors import TooManyOpenTokens, UserNotFound
from app.domain.rules.eligibility import seconds
from app.domain.users import Caller
from app.models.statements.submissions.action_tokens import COUNT_OPEN, DELETE_EXPIRED, INSERT, LOCK_USERS
from app.services.submissions.action_token_codec import ActionClaims, ActionTokenClaims, hash_of
from app.stores.batching import Batcher
from app.stores.postgres import Database


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
    claims: ActionTokenClaims
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
        max_concurrent: int,
        min_second_batch: int = 1,
    ) -> None:
        """`max_open`: tokens a user may hold unused. At most `batch` issues share one of `max_concurrent` transactions,
        and as many as are `min_second_batch` it wait before one more is begun.
        """
        self._database = database
        self._claims = claims
        self._clock = clock
        self._random_bytes = random_bytes
        self._lifetime = lifetime
        self._max_open = max_open
        self._queue = Batcher(
            self._store,
            size=batch,
            max_concurrent=max_concurrent,
            min_second_batch=lambda: min_second_batch,
            key=lambda wanted: wanted.claims.user_id,
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
        claims = ActionTokenClaims(caller.user_id, action.id, points, hash_of(nonce), now, expires_at)
        await self._queue.submit(_Wanted(claims, attributes))
        return Issued(self._claims.sign(claims, action.category, nonce), action, points, now, claims.expires_at)

    async def count_open(self, user_id: UUID) -> int:
        """How many unused, unexpired tokens a user holds."""
        async with self._database.connect() as connection:
            count: int = (await connection.execute(COUNT_OPEN, {"user": user_id, "now": self._clock()})).scalar_one()
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
