"""Transactions: the entries of the ledger, each bound to the one before it.

Every user has a chain of transactions. Each carries a hash over its content and the hash before it, so an altered,
removed or inserted one breaks the chain. Chains are per user: writers of different users never wait for each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from uuid import UUID

# With the encoder made once: `json.dumps` makes one for every call that asks for something unusual.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Kind(StrEnum):
    """The reason of a transaction."""

    ACTION = "ACTION"
    """A player submitted an action token."""
    SIGNED_ACTION = "SIGNED_ACTION"
    """A player submitted an action signed within a signing session."""
    SERVER_ACTION = "SERVER_ACTION"
    """A game's back-end recorded an action."""
    HELD = "HELD"
    """A player's action that waits for a review: it has points and no delta."""
    RELEASE = "RELEASE"
    """A moderator released a held action, which is paid now."""
    REJECTION = "REJECTION"
    """A moderator rejected a held action."""
    ADJUSTMENT = "ADJUSTMENT"
    """A moderator changed a score."""
    REVERSAL = "REVERSAL"
    """A moderator reversed another transaction."""
    HIDING = "HIDING"
    """A moderator hid the user from every board."""
    UNHIDING = "UNHIDING"
    """A moderator showed the user again."""
    METADATA_REMOVAL = "METADATA_REMOVAL"
    """A moderator removed the metadata of the user's transactions in the category."""
    OPENING = "OPENING"
    """The score of a user was taken over from another system."""
    DELETION = "DELETION"
    """A moderator deleted the user: the score becomes 0."""


PLAYED = (Kind.ACTION, Kind.SIGNED_ACTION, Kind.HELD)
"""The kinds that players themselves cause."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused a transaction, and from where. In a stored transaction, `address` and `user_agent` are commitments."""

    id: UUID | None
    role: str
    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a user's chain: how many transactions it has, and the hash of the last."""

    seq: int = 0
    hash: bytes = b""


@dataclass(frozen=True)
class Transaction:
    """One entry of a chain. Without a `category_id` it concerns the user as a whole, and its `delta` is 0.

    `reason` and the address and user agent of `actor` are commitments: see `app.domain.ledger.commitments`.
    """

    id: UUID
    user_id: UUID
    seq: int
    category_id: str | None
    action_id: str | None
    kind: Kind
    points: int
    delta: int
    score: int
    token_hash: bytes | None
    request_key: str | None
    request_hash: bytes | None
    actor: Actor
    reason: str | None
    created_at: datetime
    previous_hash: bytes

    @cached_property
    def hash(self) -> bytes:
        """Return the SHA-256 of the previous hash and the content: a JSON array of the fields in their order.

        The JSON has no white space, is encoded as UTF-8, and escapes only the characters that must be escaped.
        """
        content: Sequence[object] = (
            str(self.id),
            str(self.user_id),
            self.seq,
            self.category_id,
            self.action_id,
            self.kind.value,
            self.points,
            self.delta,
            self.score,
            _hex(self.token_hash),
            self.request_key,
            _hex(self.request_hash),
            None if self.actor.id is None else str(self.actor.id),
            self.actor.role,
            self.actor.address,
            self.actor.user_agent,
            self.reason,
            round(self.created_at.timestamp() * 1_000_000),
        )
        return hashlib.sha256(self.previous_hash + _encode(content).encode()).digest()

    @property
    def head(self) -> Head:
        """Return the end of the chain while this is its last transaction."""
        return Head(self.seq, self.hash)


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else raw.hex()
