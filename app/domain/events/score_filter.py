"""Which committed scores become events: all of a category, those of enough points, or a random share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from app.domain.ledger.transactions import Transaction

ALL_CATEGORIES = "*"


@dataclass(frozen=True, slots=True)
class ScoreFilter:
    """What is recorded of one category.

    Attributes:
        sample: The share of transactions, from 0 to 1. The id of a transaction decides, so that a repetition agrees.
        min_delta: The least change of the all-time score, up or down.
        min_score: The least all-time score after the transaction.
    """

    sample: float = 1.0
    min_delta: int = 0
    min_score: int = 0

    def accepts(self, entry: Transaction) -> bool:
        """Return whether a transaction becomes an event."""
        if abs(entry.delta) < self.min_delta or entry.score < self.min_score:
            return False
        # The last bits of a UUID version 7 are random.
        return self.sample >= 1 or (entry.id.int & 0xFFFFFFFF) / 2**32 < self.sample


def score_filters_of(raw: Mapping[str, Any]) -> dict[str, ScoreFilter]:
    """Return the filters by category, of which `*` is that of all other categories.

    Raises:
        ValueError: A member is not known, or its value out of range.
    """
    return {category: _filter(category, content) for category, content in raw.items()}


def _filter(category: str, content: Any) -> ScoreFilter:
    known = {field.name for field in fields(ScoreFilter)}
    if not isinstance(content, dict) or (set(content) - known):
        raise ValueError(f"{category}: must be an object with members of {', '.join(sorted(known))}")
    sample, least = content.get("sample", 1.0), [content.get(name, 0) for name in ("min_delta", "min_score")]
    if isinstance(sample, bool) or not isinstance(sample, int | float) or not 0 <= sample <= 1:
        raise ValueError(f"{category}: `sample` must be a number from 0 to 1")
    if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for one in least):
        raise ValueError(f"{category}: `min_delta` and `min_score` must be whole numbers from 0")
    return ScoreFilter(float(sample), *least)
