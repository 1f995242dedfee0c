"""Idempotency: reasons, keys and content hashes, by which the repeat of a request is recognised."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from app.domain.errors import BadUserInput

MAX_REASON_LENGTH = 500
MAX_KEY_LENGTH = 100
CLIENT_KINDS = ("server", "signed", "adjust")
"""The kinds of request keys that clients choose, which are deleted after a time."""


def clean_reason(raw: str) -> str:
    """Return a reason without surrounding space. Raises BadUserInput unless it is 1 to 500 characters of plain text."""
    return _clean(raw, "A reason", MAX_REASON_LENGTH)


def clean_key(raw: str) -> str:
    """Return a key without surrounding space. Raises BadUserInput unless it is 1 to 100 characters of plain text."""
    return _clean(raw, "An idempotency key", MAX_KEY_LENGTH)


def json_text(value: Any, name: str, max_bytes: int) -> str:
    """Encode the argument `name`. Raises BadUserInput for a value without JSON text, or with more than `max_bytes`."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (ValueError, RecursionError):
        raise BadUserInput(f"`{name}` must be JSON: finite numbers, valid Unicode, moderate nesting.") from None
    if size > max_bytes:
        raise BadUserInput(f"`{name}` must be at most {max_bytes // 1024} KiB of JSON.")
    return text


def request_key(kind: str, owner: UUID, key: str) -> str:
    """Return the request key for the ledger, in which keys of different owners and kinds are different."""
    return f"{kind}:{owner}:{key}"


def is_permanent(key: str) -> bool:
    """Return whether a request key is kept for ever: if the service made it, not a client."""
    return key.partition(":")[0] not in CLIENT_KINDS


def content_hash(*content: str | int | None) -> bytes:
    """Return the hash by which a repeat differs from another request with the same key."""
    return hashlib.sha256(json.dumps(content).encode()).digest()


def _clean(raw: str, name: str, max_length: int) -> str:
    cleaned = raw.strip()
    if not 1 <= len(cleaned) <= max_length or not cleaned.isprintable():
        raise BadUserInput(f"{name} must be 1 to {max_length} characters of plain text.")
    return cleaned
