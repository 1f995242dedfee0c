"""Signed actions: the signature by which a client proves that an action belongs to its signing session.

The signature is HMAC-SHA256 in lower-case hex. The key is the session's `secret` in ASCII; the message is six
lines, joined by a line feed and without one at the end:

    leaderboard-signed-action-v1
    <key id>
    <action id>
    <action type>
    <difficulty, or nothing>
    <timestamp, in whole milliseconds since 1970-01-01T00:00:00Z>

Ids are UUIDs with hyphens, in lower case or as they were sent. The text is encoded as UTF-8.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.instants import to_micros

MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
"""How far a timestamp may be from the server's clock, in either direction."""

VERSION = "leaderboard-signed-action-v1"


@dataclass(frozen=True, slots=True)
class SignedAction:
    """An action as its client signed it."""

    key_id: UUID
    action_id: UUID
    action_type: str
    difficulty: str | None
    timestamp: datetime
    ids_as_sent: tuple[str, str] | None = None
    """The key id and the action id as the client spelled them; None for the canonical spelling."""

    @property
    def canonical(self) -> str:
        """Return the text to sign."""
        return self._text(self.key_id, self.action_id)

    @property
    def as_sent(self) -> str:
        """Return the text to sign with the ids as the client spelled them."""
        return self._text(*(self.ids_as_sent or (self.key_id, self.action_id)))

    def _text(self, key_id: object, action_id: object) -> str:
        milliseconds = to_micros(self.timestamp) // 1000
        lines = (VERSION, key_id, action_id, self.action_type, self.difficulty or "", milliseconds)
        return "\n".join(map(str, lines))

    def is_stale(self, now: datetime) -> bool:
        """Return whether the timestamp is further from `now` than clocks may differ."""
        return abs(now - self.timestamp) > MAX_CLOCK_DIFFERENCE


def sign(secret: str, action: SignedAction) -> str:
    """Return the signature of an action with ids in lower case."""
    return _sign(secret, action.canonical)


def is_signed_by(secret: str, action: SignedAction, signature: str) -> bool:
    """Return whether `signature` is that of the action, in constant time."""
    given = signature.encode(errors="replace")
    texts = {action.canonical, action.as_sent}
    return any(hmac.compare_digest(_sign(secret, text).encode(), given) for text in texts)


def _sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(errors="replace"), "sha256").hexdigest()
