"""Users: their profiles on boards, and callers with their roles and signing keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from app.domain.canonical_uuid import canonical_uuid


class Role(StrEnum):
    """The role of a caller. A server records actions of others; a moderator corrects scores and reviews flags."""

    PLAYER = "player"
    SERVER = "server"
    MODERATOR = "moderator"


HIDDEN_USERNAME = "Hidden player"
"""What others see instead of the name of a hidden player."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The name and picture of a user. `created_at` is None for a caller who has no row yet."""

    id: UUID
    username: str
    avatar_url: str | None
    created_at: datetime | None
    is_hidden: bool = False

    def is_visible_to(self, viewer: Caller | None) -> bool:
        """Return whether a viewer may see the user: a hidden one is seen by moderators and the user alone."""
        return not self.is_hidden or (
            viewer is not None and (viewer.user_id == self.id or viewer.role is Role.MODERATOR)
        )

    def as_seen_by(self, viewer: Caller | None) -> Profile:
        """Return the profile, without name and picture unless it is visible to `viewer` (None: to everybody)."""
        if not self.is_hidden or self.is_visible_to(viewer):
            return self
        return Profile(self.id, HIDDEN_USERNAME, None, None, is_hidden=True)


class SigningKey:
    """A key that signs access tokens, or an API key, and whether it is still trusted.

    Whatever is cached for a token refers to its key.

    Attributes:
        is_trusted: Whether the key was not withdrawn.
        is_used: Whether the key was used since this was set to false.
    """

    __slots__ = ("_listeners", "is_trusted", "is_used")

    def __init__(self) -> None:
        self.is_trusted = True
        self.is_used = False
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
    """The user whom an access token or an API key identifies, until `expires_at`, in seconds since the epoch."""

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


MAX_SUBJECT_LENGTH = 255
"""Maximum characters of a subject (OpenID Connect Core 1.0, section 2)."""


@dataclass(frozen=True, slots=True)
class SubjectIds:
    """The user ids of subjects, the claim `sub` of access tokens.

    An id is the UUIDv5 of (issuer, subject). User ids are public, so a subject never names another user's id by
    accident or choice: with `subject_is_user_id`, a UUID is taken as the id only in its canonical spelling and if it is
    not of version 5, which derived ids have.
    """

    issuer: str
    subject_is_user_id: bool = False

    def user_id(self, subject: str) -> UUID:
        """Return the user id of a subject."""
        if self.subject_is_user_id:
            given = canonical_uuid(subject)
            if given is not None and given.version not in (None, 5):
                return given
        return uuid5(uuid5(NAMESPACE_URL, self.issuer), subject)
