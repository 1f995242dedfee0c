"""Count the responses to an attack."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class ScenarioResult:
    """The responses to one scenario, by HTTP status, close code of the socket, or code of the GraphQL error."""

    kind: str
    answers: Counter[str] = field(default_factory=Counter)
    stack_traces: int = 0
    slowest: float = 0.0
    """The longest time until a response, in seconds."""

    @property
    def sent(self) -> int:
        """The number of responses."""
        return self.answers.total()

    @property
    def faults(self) -> list[str]:
        """Responses that must not occur: 5xx, a socket that is closed without a code, an internal error."""
        return [one for one in self.answers if one.startswith("5") or one in ("1006", "INTERNAL_SERVER_ERROR")]

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure the duration of one request."""
        started = time.perf_counter()
        yield
        self.slowest = max(self.slowest, time.perf_counter() - started)

    def count(self, answer: object, text: str = "") -> None:
        """Count one response; `text` is searched for a stack trace."""
        self.answers[str(answer)] += 1
        self.stack_traces += "Traceback" in text or 'File "' in text

    def row(self) -> list[str]:
        """Return the row of the table."""
        counts = ", ".join(f"{answer}: {count}" for answer, count in self.answers.most_common())
        return [self.kind, str(self.sent), f"{self.slowest * 1000:.0f}", counts]
