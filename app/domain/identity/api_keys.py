"""API keys: how game back ends and tools of moderators identify themselves without an identity provider."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from uuid import UUID, uuid5

from app.domain.errors import BadUserInput
from app.domain.users import Role

PREFIX = "lbk_"
"""The beginning of every key, by which it is told from an access token, and found by secret scanners."""

SECRET_BYTES = 32
"""Random bytes of a key. With so many a plain hash is enough: there is nothing to guess."""

HINT_LENGTH = len(PREFIX) + 4
"""The first characters of a key, which are kept so that people recognise it."""

ROLES = (Role.SERVER, Role.MODERATOR)
"""The roles of keys; players have accounts at an identity provider."""

MAX_ACTIVE_KEYS = 1000
"""Keys that may be valid at a time: every process keeps all of them in memory."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")

# No issuer of access tokens derives ids from it, so a key is never the same user as somebody with a token.
_NAMESPACE = UUID("5c0f0d0e-6f0b-4c8e-9b57-3f0a4f2e7a61")


def new_key(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new key."""
    return PREFIX + base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).rstrip(b"=").decode()


def hash_of(key: str) -> bytes:
    """Return the hash by which a key is stored and found."""
    return hashlib.sha256(key.encode(errors="replace")).digest()


def clean_key_name(name: str) -> str:
    """Return the name of a key. Raises BadUserInput if it is not valid."""
    if not _NAME.fullmatch(name):
        raise BadUserInput(
            "The name of a key must have 1 to 50 letters, digits, dots, hyphens and underscores, and begin with a "
            "letter or a digit."
        )
    return name


def caller_id(name: str) -> UUID:
    """Return the user id of those who call with a key of this name.

    It depends on the name alone, so that a key can be replaced: idempotency keys, limits and the actor in the ledger
    stay the same.
    """
    return uuid5(_NAMESPACE, name)
