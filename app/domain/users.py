"""Users: their profiles on boards, and callers with their roles and signing keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5


class Role(StrEnum):
    """The role of a caller. A server records actions of others; a moderator corrects scores and reviews flags."""

    PLAYER = "player"
    SERVER = "server"
    MODERATOR = "moderator"


@dataclass(frozen=True, slots=True)
class Profile:
    """The public part of a user. `created_at` is None for a caller who has no row yet."""

    id: UUID
    username: str
    avatar_url: str | None
    created_at: datetime | None


class SigningKey:
    """A key that signs access tokens, and whether it is still trusted. Whatever is cached for a token refers to it."""

    __slots__ = ("_listeners", "is_trusted")

    def __init__(self) -> None:
        self.is_trusted = True
        self._listeners: set[Callable[[], None]] = set()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, which must not raise, once the key is withdrawn."""
        self._listeners.add(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Remove a listener; removing an unknown one changes nothing."""
        self._listeners.discard(listener)

    def withdraw(self) -> None:
        """Withdraw the trust permanently, and call the listeners. If the key comes back, it is a new `SigningKey`."""
        self.is_trusted = False
        listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            listener()


@dataclass(frozen=True, slots=True)
class Caller:
    """The user whom an access token identifies. `expires_at` is its `exp`, in seconds since the epoch."""

    user_id: UUID
    username: str
    avatar_url: str | None
    role: Role
    expires_at: int
    signing_key: SigningKey = field(default_factory=SigningKey, compare=False, repr=False)

    def is_valid_at(self, now: float) -> bool:
        """Return whether the token is valid at `now`, in seconds since the epoch: not expired, and its key trusted."""
        return now < self.expires_at and self.signing_key.is_trusted

    def __hash__(self) -> int:
        return hash(self.user_id)  # Computed with every request; a user has few tokens at a time.


def user_id_of(issuer: str, subject: str) -> UUID:
    """Return the user id of a subject: the subject itself if it is a UUID, else the UUIDv5 of (issuer, subject)."""
    try:
        return UUID(subject)
    except ValueError:
        return uuid5(uuid5(NAMESPACE_URL, issuer), subject)
