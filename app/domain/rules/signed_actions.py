"""Signed actions: the signature by which a client proves that an action belongs to its signing session.

The signature is HMAC-SHA256 in lower-case hex. The key is the session's `secret` in ASCII; the message is six
lines, joined by a line feed and without one at the end:

    leaderboard-signed-action-v1
    <key id>
    <action id>
    <action type>
    <difficulty, or nothing>
    <timestamp, in whole milliseconds since 1970-01-01T00:00:00Z>

Ids are UUIDs in lower case with hyphens. The text is encoded as UTF-8.
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

    @property
    def canonical(self) -> str:
        """Return the text to sign."""
        milliseconds = to_micros(self.timestamp) // 1000
        lines = (VERSION, self.key_id, self.action_id, self.action_type, self.difficulty or "", milliseconds)
        return "\n".join(map(str, lines))

    def is_stale(self, now: datetime) -> bool:
        """Return whether the timestamp is further from `now` than clocks may differ."""
        return abs(now - self.timestamp) > MAX_CLOCK_DIFFERENCE


def sign(secret: str, action: SignedAction) -> str:
    """Return the signature of an action."""
    return hmac.new(secret.encode(), action.canonical.encode(errors="replace"), "sha256").hexdigest()


def is_signed_by(secret: str, action: SignedAction, signature: str) -> bool:
    """Return whether `signature` is that of the action, in constant time."""
    return hmac.compare_digest(sign(secret, action).encode(), signature.encode(errors="replace"))
