"""The one accepted spelling of a UUID."""

from __future__ import annotations

from uuid import UUID


def canonical_uuid(text: str) -> UUID | None:
    """Return the UUID that `text` spells in lower case with hyphens; None for any other text or spelling."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
