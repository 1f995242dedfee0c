"""Texts and JSON that clients give: cleaned, and bounded."""

from __future__ import annotations

import json
from typing import Any

from app.domain.errors import BadUserInput

MAX_REASON_LENGTH = 500


def clean_reason(raw: str) -> str:
    """Return a reason without surrounding space. Raises BadUserInput unless it is 1 to 500 characters of plain text."""
    return clean_line(raw, "A reason", MAX_REASON_LENGTH)


def clean_line(raw: str, name: str, max_length: int) -> str:
    """Return a text without surrounding space.

    Args:
        raw: The given text.
        name: What it is, for the message.
        max_length: The maximum number of characters.

    Raises:
        BadUserInput: It is empty, too long, or has characters that cannot be printed, such as line breaks.
    """
    cleaned = raw.strip()
    if not 1 <= len(cleaned) <= max_length or not cleaned.isprintable():
        raise BadUserInput(f"{name} must be 1 to {max_length} characters of plain text.")
    return cleaned


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
