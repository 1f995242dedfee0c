"""Action tokens: issued before an action, consumed once after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.domain.catalogue.catalogue import Action
from app.domain.errors import TooManyOpenTokens, UserNotFound
from app.domain.rules.eligibility import seconds
from app.domain.users import Caller
from app.models.statements.submissions.action_tokens import (
    COUNT_OPEN_TOKENS,
    INSERT_TOKENS,
    LOCK_USERS,
)
from app.runtime import Runtime
from app.services.submissions.action_token_codec import ActionTokenClaims, ActionTokenCodec, hash_of
from app.stores.batching import Batcher
from app.stores.postgres import Database


@dataclass(frozen=True, slots=True)
class IssuedActionToken:
    """A new action token. `points` is None if the verifier states the value of the action."""

    token: str
    action: Action
    points: int | None
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _QueuedToken:
    claims: ActionTokenClaims
    attributes: str | None


class ActionTokens:
    """Issues action tokens, and counts the open ones of each user."""

    def __init__(
        self,
        database: Database,
        codec: ActionTokenCodec,
        runtime: Runtime,
        *,
        lifetime: timedelta,
        max_open: int,
        max_batch_size: int,
        max_concurrent: int,
        min_second_batch: int = 1,
    ) -> None:
        """Configure the tokens.

        Args:
            database: Where tokens are stored.
            codec: Signs the tokens.
            runtime: The sources of time and of the tokens' nonces.
            lifetime: How long a token can be used.
            max_open: How many unused tokens a user may have.
            max_batch_size: How many tokens may share one transaction.
            max_concurrent: How many transactions may be under way.
            min_second_batch: How many tokens must wait before another transaction starts beside one under way.
        """
        self._database = database
        self._codec = codec
        self._runtime = runtime
        self._lifetime = lifetime
        self._max_open = max_open
        self._queue = Batcher(
            self._store,
            max_batch_size=max_batch_size,
            max_concurrent=max_concurrent,
            min_second_batch=lambda: min_second_batch,
            key=lambda queued: queued.claims.user_id,
            name="token issue",
        )

    async def issue(
        self, caller: Caller, action: Action, difficulty: str | None, attributes: str | None = None
    ) -> IssuedActionToken:
        """Issue a token to `caller`.

        Args:
            caller: A user that exists.
            action: The action that the token permits.
            difficulty: One of the action's difficulties, or None.
            attributes: JSON of the client, stored with the token.

        Raises:
            InvalidAction: The action has no such difficulty.
            TooManyOpenTokens: The user has `max_open` unused tokens.
            UserNotFound: There is no such user.
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        now = self._runtime.clock()
        points, nonce = action.points_for(difficulty), self._runtime.random_bytes(16).hex()
        expires_at = now.replace(microsecond=0) + self._lifetime
        claims = ActionTokenClaims(caller.user_id, action.id, points, hash_of(nonce), now, expires_at)
        await self._queue.submit(_QueuedToken(claims, attributes))
        return IssuedActionToken(
            self._codec.sign(claims, action.category, nonce), action, points, now, claims.expires_at
        )

    async def count_open(self, user_id: UUID) -> int:
        """Return how many unused, unexpired tokens a user has."""
        async with self._database.connect() as connection:
            count: int = (
                await connection.execute(COUNT_OPEN_TOKENS, {"user": user_id, "now": self._runtime.clock()})
            ).scalar_one()
            return count

    async def _store(self, batch: Sequence[_QueuedToken]) -> Sequence[Exception | None]:
        async with self._database.driver() as connection, connection.transaction():
            users = [queued.claims.user_id for queued in batch]
            known = {row.id for row in await connection.execute(LOCK_USERS, {"users": users})}
            rows = [queued for queued in batch if queued.claims.user_id in known]
            answers = await connection.execute(INSERT_TOKENS, self._columns(rows)) if rows else ()
        outcomes = {row.user_id: _outcome(row) for row in answers}
        return [outcomes.get(user_id, UserNotFound()) for user_id in users]

    def _columns(self, rows: Sequence[_QueuedToken]) -> dict[str, Any]:
        claims = [queued.claims for queued in rows]
        return {
            "hashes": [one.token_hash for one in claims],
            "users": [one.user_id for one in claims],
            "actions": [one.action_id for one in claims],
            "points": [one.points for one in claims],
            "issued": [one.issued_at for one in claims],
            "expires": [one.expires_at for one in claims],
            "attributes": [queued.attributes for queued in rows],
            "max_open": self._max_open,
        }


def _outcome(row: Any) -> Exception | None:
    return None if row.issued else TooManyOpenTokens(seconds(row.first_to_expire - row.issued_at))
