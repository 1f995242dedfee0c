"""What came back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Tally:
    """The answers to one wave: HTTP statuses, close codes of sockets, or codes of GraphQL errors."""

    kind: str
    answers: Counter[str] = field(default_factory=Counter)
    stack_traces: int = 0
    slowest: float = 0.0
    """The longest wait for an answer, in seconds."""

    @property
    def sent(self) -> int:
        """How many attacks were answered."""
        return self.answers.total()

    @property
    def faults(self) -> list[str]:
        """Answers that no attack may get: 5xx, a socket that just breaks, our own error code, or an acceptance."""
        return [one for one in self.answers if one.startswith("5") or one in ("1006", "INTERNAL_SERVER_ERROR")]

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure one attack."""
        begun = time.perf_counter()
        yield
        self.slowest = max(self.slowest, time.perf_counter() - begun)

    def count(self, answer: object, text: str = "") -> None:
        """Count one answer; `text` is looked through for a stack trace."""
        self.answers[str(answer)] += 1
        self.stack_traces += "Traceback" in text or 'File "' in text

    def row(self) -> list[str]:
        """A line of the table."""
        told = ", ".join(f"{answer}: {count}" for answer, count in self.answers.most_common())
        return [self.kind, str(self.sent), f"{self.slowest * 1000:.0f}", told]
