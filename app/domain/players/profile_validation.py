"""Validation of usernames and avatar URLs from outside."""

from __future__ import annotations

import unicodedata

from app.domain.errors import BadUserInput

MAX_USERNAME = 50
"""Maximum characters of a username."""

MAX_AVATAR_URL = 500
"""Maximum characters of an avatar URL."""


def clean_username(raw: str) -> str:
    """Return `raw` without surrounding white space and in Unicode NFC.

    Raises:
        BadUserInput: The name is empty, longer than 50 characters, or contains control, format or surrogate characters,
            by which it could impersonate another user or break a terminal.
    """
    name = unicodedata.normalize("NFC", raw).strip()
    if not name or len(name) > MAX_USERNAME:
        raise BadUserInput(f"A username must have 1 to {MAX_USERNAME} characters.")
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in name):
        raise BadUserInput("A username must not contain control or invisible characters.")
    return name


def clean_avatar_url(raw: str | None) -> str | None:
    """Return `raw` if it is a plausible web address of at most 500 characters, else None.

    An invalid picture is not an error, so that its user can still play.
    """
    if raw is None or len(raw) > MAX_AVATAR_URL or not raw.startswith(("https://", "http://")):
        return None
    return raw if raw.isprintable() and " " not in raw else None
