"""Identifiers: UUIDs that sort by time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from app.domain.canonical_uuid import canonical_uuid
from app.domain.errors import BadUserInput, DomainError


def uuid7(now: datetime, random_bytes: Callable[[int], bytes]) -> UUID:
    """Return a UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits."""
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(random_bytes(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


def parse_id(argument: str, raw: str, error: DomainError | None = None) -> UUID:
    """Return the UUID that a client passed as `argument`. Each id has one accepted spelling, that of the service.

    Raises:
        DomainError: `raw` is not a UUID in lower case with hyphens: `error`, or BadUserInput if it is None.
    """
    found = canonical_uuid(raw)
    if found is None:
        raise error or BadUserInput(f"`{argument}` must be a UUID in lower case with hyphens.")
    return found


def parse_client_id(argument: str, raw: str, error: DomainError | None = None) -> UUID:
    """Return the UUID that a client made, or repeats, as `argument`; also in upper case, as many platforms spell it.

    Raises:
        DomainError: `raw` is not a UUID with hyphens: `error`, or BadUserInput if it is None.
    """
    return parse_id(argument, raw.lower() if raw.isascii() else raw, error)
