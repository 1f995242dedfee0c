"""Identifiers: UUIDs that sort by time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from app.domain.errors import BadUserInput, DomainError


def uuid7(now: datetime, random_bytes: Callable[[int], bytes]) -> UUID:
    """Return a UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits."""
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(random_bytes(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


def parse_id(argument: str, raw: str, error: DomainError | None = None) -> UUID:
    """Return the UUID that a client passed as `argument`.

    Raises:
        DomainError: `raw` is not a UUID: `error`, or BadUserInput if it is None.
    """
    try:
        return UUID(raw)
    except ValueError:
        raise (error or BadUserInput(f"`{argument}` must be a UUID.")) from None
