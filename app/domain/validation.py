"""What users are called and pictured by, as it comes from outside: cleaned, or refused."""

from __future__ import annotations

import unicodedata

from app.domain.errors import BadUserInput

USERNAME_MAX = 50
AVATAR_URL_MAX = 500


def clean_username(raw: str) -> str:
    """`raw` trimmed and in Unicode NFC.

    Raises BadUserInput when it is empty, longer than 50 characters, or holds control, format or surrogate characters:
    such names could impersonate others or break a terminal.
    """
    name = unicodedata.normalize("NFC", raw).strip()
    if not name or len(name) > USERNAME_MAX:
        raise BadUserInput(f"A username must have 1 to {USERNAME_MAX} characters.")
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in name):
        raise BadUserInput("A username must not contain control or invisible characters.")
    return name


def clean_avatar_url(raw: str | None) -> str | None:
    """`raw` when it is a plausible web address of at most 500 characters, else None: no picture is worth a refusal."""
    if raw is None or len(raw) > AVATAR_URL_MAX or not raw.startswith(("https://", "http://")):
        return None
    return raw if raw.isprintable() and " " not in raw else None
