"""The outcomes of simulated play."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

ACCEPTED = "ACCEPTED"
SKIPPED = "SKIPPED"
"""No action was started, because all players had to wait after exceeding a rate limit."""

# Codes that stand for a fault: of the service, of the network, or of how the simulation was set up.
FAULTS = frozenset(
    {
        "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "UNAUTHENTICATED", "FORBIDDEN", "BAD_USER_INPUT",
        "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "QUERY_TOO_COMPLEX", "INVALID_ACTION",
        "INVALID_ACTION_TOKEN", "ACTION_TOKEN_USED", "ACTION_TOKEN_NOT_YOURS", "NETWORK_ERROR", "UNKNOWN",
    }
)  # fmt: skip


@dataclass(slots=True)
class Durations:
    """How long something took, each time; in seconds."""

    values: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How often it was measured."""
        return len(self.values)

    def quantile(self, share: float) -> float:
        """The duration that `share` of all did not exceed; `1.0` is the longest."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class PlayStats:
    """Counts the outcomes of actions by code, and keeps their durations."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.latencies: defaultdict[str, Durations] = defaultdict(Durations)
        self._started = time.monotonic()

    @property
    def total(self) -> int:
        """How many actions have come to an end."""
        return self.outcomes.total()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return max(time.monotonic() - self._started, 1e-9)

    @property
    def failures(self) -> frozenset[str]:
        """The outcomes that are faults."""
        return FAULTS & self.outcomes.keys()
