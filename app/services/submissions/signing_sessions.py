"""Signing sessions: a client that is not always online gets a key to sign the actions of its player."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.errors import InvalidSignature
from app.domain.ids import uuid7
from app.domain.rules.signed_actions import SignedAction, is_signed_by
from app.domain.users import Caller
from app.models.statements.submissions.signing_sessions import (
    FIND_SESSION,
    OPEN_SESSION,
)
from app.runtime import Runtime
from app.services.auth.signing_keys import SigningKeys
from app.services.players.provision import UserProvisioning
from app.stores.postgres import Database


@dataclass(frozen=True, slots=True)
class NewSigningSession:
    """A new session with its secret, which is not shown again."""

    key_id: UUID
    secret: str
    opened_at: datetime
    expires_at: datetime


class SigningSessions:
    """Opens sessions, and verifies signatures.

    Session secrets are derived from the key id and the secrets of the server, and stored nowhere: a copy of the
    database is not enough to sign.
    """

    def __init__(
        self,
        database: Database,
        secrets: SigningKeys,
        users: UserProvisioning,
        runtime: Runtime,
        *,
        lifetime: timedelta,
        max_sessions: int,
    ) -> None:
        """`max_sessions`: how many sessions a user may have; one more deletes the oldest."""
        self._database = database
        self._secrets = secrets
        self._users = users
        self._runtime = runtime
        self._lifetime = lifetime
        self._max_sessions = max_sessions

    async def open(self, caller: Caller) -> NewSigningSession:
        """Open a session of `caller`. Raises UserNotFound, Forbidden, ServiceUnavailable."""
        await self._users.ensure(caller)
        now = self._runtime.clock()
        key_id, expires_at = uuid7(now, self._runtime.random_bytes), now + self._lifetime
        async with self._database.begin() as connection:
            values = {
                "key_id": key_id,
                "user": caller.user_id,
                "now": now,
                "expires_at": expires_at,
                "max_sessions": self._max_sessions,
            }
            await connection.execute(OPEN_SESSION, values)
        return NewSigningSession(key_id, self._derive(key_id)[0], now, expires_at)

    async def check(self, caller: Caller, action: SignedAction, signature: str) -> datetime:
        """Return when the session was opened in which `caller` signed `action`.

        Raises:
            InvalidSignature: The signature is wrong, or the key is unknown, expired or another user's.
        """
        if not any(is_signed_by(secret, action, signature) for secret in self._derive(action.key_id)):
            raise InvalidSignature
        values = {"key_id": action.key_id, "user": caller.user_id, "now": self._runtime.clock()}
        async with self._database.connect() as connection:
            opened_at: datetime | None = (await connection.execute(FIND_SESSION, values)).scalar_one_or_none()
        if opened_at is None:
            raise InvalidSignature
        return opened_at

    def _derive(self, key_id: UUID) -> list[str]:
        """Return the session's secret by each secret of the server, the current one first."""
        name = f"signing-session:{key_id}".encode()
        return [hmac.new(one, name, "sha256").hexdigest() for one in self._secrets.candidates(None)]
