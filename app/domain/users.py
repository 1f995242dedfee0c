"""Users: who they are on a board, and who is calling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5


class Role(StrEnum):
    """What a caller may do. A server records actions for others; a moderator corrects and reviews."""

    PLAYER = "player"
    SERVER = "server"
    MODERATOR = "moderator"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a board shows of a user. `created_at` is None for a caller who has no row yet."""

    id: UUID
    username: str
    avatar_url: str | None
    created_at: datetime | None


class SigningKey:
    """Whether a key that signed access tokens is still trusted. What is remembered from such a token refers to it."""

    __slots__ = ("_listeners", "is_trusted")

    def __init__(self) -> None:
        self.is_trusted = True
        self._listeners: set[Callable[[], None]] = set()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, which must not raise, when the key is withdrawn."""
        self._listeners.add(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more, if it was to be called."""
        self._listeners.discard(listener)

    def withdraw(self) -> None:
        """Trust the key no longer. It cannot be trusted again: the same key is a new one when it comes back."""
        self.is_trusted = False
        listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            listener()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who an access token speaks for. `expires_at` is the token's `exp`, seconds since the epoch."""

    user_id: UUID
    username: str
    avatar_url: str | None
    role: Role
    expires_at: int
    signing_key: SigningKey = field(default_factory=SigningKey, compare=False, repr=False)

    def is_valid_at(self, now: float) -> bool:
        """Whether the token is good at `now`, in seconds since the epoch: not expired, and its key not withdrawn."""
        return now < self.expires_at and self.signing_key.is_trusted

    def __hash__(self) -> int:
        return hash(self.user_id)  # Looked up with every request; a user has few of them at a time.


def user_id_of(issuer: str, subject: str) -> UUID:
    """The id of a token's subject: the subject itself when it is a UUID, else a fixed UUIDv5 of (issuer, subject)."""
    try:
        return UUID(subject)
    except ValueError:
        return uuid5(uuid5(NAMESPACE_URL, issuer), subject)
