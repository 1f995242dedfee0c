"""The result of a check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.models.statements.verify.invariants import MAX_LISTED_VIOLATIONS

Progress = Callable[[str, int, int], object]
"""Called with the name of a check, the number of rows that are checked, and their total."""


@dataclass(slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: The name of the check.
        invariant: What must be the case.
        checked: How many rows were checked.
        violations: A sentence for each of the first violations.
    """

    name: str
    invariant: str
    checked: int = 0
    violations: list[str] = field(default_factory=list)

    def add_violation(self, sentence: str) -> None:
        """Add a violation; after `MAX_LISTED_VIOLATIONS` further ones are dropped."""
        if len(self.violations) < MAX_LISTED_VIOLATIONS:
            self.violations.append(sentence)

    def add(self, part: CheckResult) -> None:
        """Add the result of the same check on another part of the data."""
        self.checked += part.checked
        for sentence in part.violations:
            self.add_violation(sentence)
