"""What a check found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.models.statements.verify.invariants import MAX_REPORTED_VIOLATIONS

Progress = Callable[[str, int, int], object]
"""Hears the name of a check, how far it is, and how far it has to go."""


@dataclass(slots=True)
class CheckResult:
    """The result of one check: `checked` rows of what is promised, and a sentence for each of the first breaches."""

    name: str
    invariant: str
    checked: int = 0
    violations: list[str] = field(default_factory=list)

    def add_violation(self, sentence: str) -> None:
        """Note a breach. Of very many, the first say as much as all."""
        if len(self.violations) < MAX_REPORTED_VIOLATIONS:
            self.violations.append(sentence)
