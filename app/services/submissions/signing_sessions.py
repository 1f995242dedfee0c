"""Signing sessions: a key by which a player's client signs actions, for clients that are not always online."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.errors import InvalidSignature
from app.domain.ids import uuid7
from app.domain.rules.signed_actions import SignedAction, is_signed_by
from app.domain.users import Caller
from app.models.statements.submissions.signing_sessions import DELETE_EXPIRED, FIND, OPEN
from app.services.auth.signing_keys import SigningKeys
from app.services.players.provision import UserProvisioning
from app.stores.postgres import Database


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session, with its secret: the one time that it is told."""

    key_id: UUID
    secret: str
    opened_at: datetime
    expires_at: datetime


class SigningSessions:
    """Opens sessions, and checks what is signed in them.

    Secrets are derived from the key id and the secrets of the server, and stored nowhere: who reads the database
    cannot sign.
    """

    def __init__(
        self,
        database: Database,
        secrets: SigningKeys,
        users: UserProvisioning,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        *,
        lifetime: timedelta,
        most: int,
    ) -> None:
        """`most`: how many sessions a user can have; one more ends the oldest."""
        self._database = database
        self._secrets = secrets
        self._users = users
        self._clock = clock
        self._random_bytes = random_bytes
        self._lifetime = lifetime
        self._most = most

    async def open(self, caller: Caller) -> Opened:
        """A new session of `caller`. Raises UserNotFound, Forbidden, ServiceUnavailable."""
        await self._users.ensure(caller)
        now = self._clock()
        key_id, expires_at = uuid7(now, self._random_bytes), now + self._lifetime
        async with self._database.begin() as connection:
            values = {
                "key_id": key_id,
                "user": caller.user_id,
                "now": now,
                "expires_at": expires_at,
                "most": self._most,
            }
            await connection.execute(OPEN, values)
        return Opened(key_id, self._derive(key_id)[0], now, expires_at)

    async def check(self, caller: Caller, action: SignedAction, signature: str) -> datetime:
        """When the session was opened in which `caller` signed `action`.

        Raises InvalidSignature, with one answer for a wrong signature, an unknown or expired key, and another's.
        """
        if not any(is_signed_by(secret, action, signature) for secret in self._derive(action.key_id)):
            raise InvalidSignature
        values = {"key_id": action.key_id, "user": caller.user_id, "now": self._clock()}
        async with self._database.connect() as connection:
            opened_at: datetime | None = (await connection.execute(FIND, values)).scalar_one_or_none()
        if opened_at is None:
            raise InvalidSignature
        return opened_at

    async def delete_expired(self) -> int:
        """Delete the sessions that are over. Returns how many."""
        async with self._database.begin() as connection:
            return (await connection.execute(DELETE_EXPIRED, {"now": self._clock()})).rowcount

    def _derive(self, key_id: UUID) -> list[str]:
        """The session's secret from each secret of the server, the current one's first."""
        name = f"signing-session:{key_id}".encode()
        return [hmac.new(one, name, "sha256").hexdigest() for one in self._secrets.candidates(None)]
