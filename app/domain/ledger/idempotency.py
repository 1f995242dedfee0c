"""What comes with a request besides its subject: reasons, and the keys by which a repeat is known."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from app.domain.errors import BadUserInput

REASON_MAX = 500
KEY_MAX = 100


def clean_reason(raw: str) -> str:
    """`raw` trimmed. Raises BadUserInput when it is empty, longer than 500 characters, or not plain text."""
    return _clean(raw, "A reason", REASON_MAX)


def clean_key(raw: str) -> str:
    """An idempotency key, trimmed. Raises BadUserInput when it is empty, longer than 100 characters, or no text."""
    return _clean(raw, "An idempotency key", KEY_MAX)


def json_text(value: Any, name: str, max_bytes: int) -> str:
    """The argument `name`, a decoded JSON value, as JSON. Raises BadUserInput when it has more than `max_bytes`."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (ValueError, RecursionError):
        raise BadUserInput(f"`{name}` must be JSON: finite numbers, valid Unicode, moderate nesting.") from None
    if size > max_bytes:
        raise BadUserInput(f"`{name}` must be at most {max_bytes // 1024} KiB of JSON.")
    return text


def request_key(kind: str, owner: UUID, key: str) -> str:
    """The name of a request in the ledger. Keys of different owners and kinds never meet."""
    return f"{kind}:{owner}:{key}"


def content_hash(*content: str | int | None) -> bytes:
    """What tells a repeat of a request from another request under the same key."""
    return hashlib.sha256(json.dumps(content).encode()).digest()


def _clean(raw: str, name: str, longest: int) -> str:
    cleaned = raw.strip()
    if not 1 <= len(cleaned) <= longest or not cleaned.isprintable():
        raise BadUserInput(f"{name} must be 1 to {longest} characters of plain text.")
    return cleaned
