"""Statistics of a simulation: outcomes of actions and durations of requests."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

ACCEPTED = "ACCEPTED"
SKIPPED = "SKIPPED"
"""No action was started, because all players had to wait after exceeding a rate limit."""

# Error codes that are failures of the service, of the network or of the configuration.
FAILURE_CODES = frozenset(
    {
        "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "UNAUTHENTICATED", "FORBIDDEN", "BAD_USER_INPUT",
        "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "QUERY_TOO_COMPLEX", "INVALID_ACTION",
        "INVALID_ACTION_TOKEN", "ACTION_TOKEN_USED", "ACTION_TOKEN_NOT_YOURS", "NETWORK_ERROR", "UNKNOWN",
    }
)  # fmt: skip


@dataclass(slots=True)
class DurationSamples:
    """Measured durations of one kind of request, in seconds."""

    values: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of measurements."""
        return len(self.values)

    def quantile(self, share: float) -> float:
        """Return the duration that `share` of all measurements do not exceed; `1.0` gives the maximum."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class PlayStats:
    """Counts the outcomes of actions by code, and collects the durations of requests."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.latencies: defaultdict[str, DurationSamples] = defaultdict(DurationSamples)
        self._started = time.monotonic()

    @property
    def total(self) -> int:
        """The number of completed actions."""
        return self.outcomes.total()

    @property
    def elapsed(self) -> float:
        """Seconds since the statistics were created."""
        return max(time.monotonic() - self._started, 1e-9)

    @property
    def failures(self) -> frozenset[str]:
        """The outcomes that are failures."""
        return FAILURE_CODES & self.outcomes.keys()
