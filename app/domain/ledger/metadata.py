"""Metadata of transactions: JSON that a game attaches to a result, such as the link to a replay, for boards to show.

It comes from a game's back end or from its verifier, never from a client, and is data: nothing in it is interpreted.
The hashes of the ledger do not cover it, so that moderators can remove it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

from app.domain.boards.periods import Period
from app.domain.errors import BadUserInput
from app.domain.texts import json_text

MAX_METADATA_BYTES = 1024
MAX_METADATA_DEPTH = 8
"""Objects and lists above one another."""

MAX_WHOLE_NUMBER = 2**53 - 1
"""The largest whole number that every reader of JSON has exactly (RFC 8259, section 6)."""

Metadata = tuple[tuple[Period | None, str], ...]
"""The JSON text of a transaction's metadata, by the period of the boards that show it; None stands for all periods."""

NO_METADATA: Metadata = ()


class MetadataKey(NamedTuple):
    """What the metadata of an entry is found by: the transaction of the user at this time has set its score."""

    user_id: UUID
    category: str
    period: Period
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class MetadataRow:
    """The metadata of the entries whose score was reached at one time, on the boards of one period or of all (None)."""

    reached_at: datetime
    period: Period | None
    text: str


def metadata_of(value: Any) -> Metadata:
    """Return the metadata that shows `value` on the boards of all periods; no metadata for None.

    Raises:
        BadUserInput: It is larger than 1 KiB as JSON, is nested too deeply, or has a number or a text that not every
            reader of JSON can represent.
    """
    if value is None:
        return NO_METADATA
    text = json_text(value, "metadata", MAX_METADATA_BYTES)
    for part, depth in _parts(json.loads(text)):
        if depth > MAX_METADATA_DEPTH:
            raise BadUserInput(f"`metadata` must be nested at most {MAX_METADATA_DEPTH} levels deep.")
        if isinstance(part, int) and abs(part) > MAX_WHOLE_NUMBER:
            raise BadUserInput(f"Whole numbers in `metadata` must be from -{MAX_WHOLE_NUMBER} to {MAX_WHOLE_NUMBER}.")
        if isinstance(part, float) and not isfinite(part):
            raise BadUserInput("Numbers in `metadata` must be finite.")
    return ((None, text),)


def _parts(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield `value` and all values within it, each with the number of objects and lists that it is within or is."""
    pending = [(value, 0)]
    while pending:
        part, around = pending.pop()
        depth = around + isinstance(part, dict | list)
        yield part, depth
        if depth > around:
            pending += [(inner, depth) for inner in (part.values() if isinstance(part, dict) else part)]
