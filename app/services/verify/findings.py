"""What a check found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.models.statements.verify.invariants import MOST_NAMED

Progress = Callable[[str, int, int], object]
"""Hears the name of a check, how far it is, and how far it has to go."""


@dataclass(slots=True)
class Finding:
    """The result of one check: `checked` rows of what is promised, and a sentence for each of the first breaches."""

    name: str
    promise: str
    checked: int = 0
    breaches: list[str] = field(default_factory=list)

    def breach(self, sentence: str) -> None:
        """Note a breach. Of very many, the first say as much as all."""
        if len(self.breaches) < MOST_NAMED:
            self.breaches.append(sentence)
