"""Idempotency: keys and content hashes, by which the repeat of a request is recognised."""

from __future__ import annotations

import hashlib
import json
from uuid import UUID

from app.domain.texts import clean_line

MAX_KEY_LENGTH = 100
CLIENT_KINDS = ("server", "signed", "adjust")
"""The kinds of request keys that clients choose, which are deleted after a time."""


def clean_key(raw: str) -> str:
    """Return a key without surrounding space. Raises BadUserInput unless it is 1 to 100 characters of plain text."""
    return clean_line(raw, "An idempotency key", MAX_KEY_LENGTH)


def request_key(kind: str, owner: UUID, key: str) -> str:
    """Return the request key for the ledger, in which keys of different owners and kinds are different."""
    return f"{kind}:{owner}:{key}"


def is_permanent(key: str) -> bool:
    """Return whether a request key is kept for ever: if the service made it, not a client."""
    return key.partition(":")[0] not in CLIENT_KINDS


def content_hash(*content: str | int | None) -> bytes:
    """Return the hash by which a repeat differs from another request with the same key."""
    return hashlib.sha256(json.dumps(content).encode()).digest()
