"""The interface between shared executions and their subscribers, and the counters of all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from app.execution import Response
from app.telemetry.metrics.histogram import Histogram
from app.transport.multiplexing.payload import Payload


class Subscriber(Protocol):
    """One subscriber of a shared execution. Its methods are called from the event loop and must not block.

    It gets a snapshot first, then newer states in order, then at most one of `fail` and `complete`, and after that or
    after `SubscriberGroup.leave` nothing more. States in between may be left out; the newest never is.
    """

    def next(self, payload: Payload) -> None:
        """Take the next state."""

    def fail(self, body: bytes) -> None:
        """Take the failure of the execution: `body` is an encoded response that has `errors` and nothing else."""

    def complete(self) -> None:
        """Take the end of the source."""


LAG_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
"""Bounds for the lag of watchers: changes are joined for 0.1 s, and the objective is 1 s."""


@dataclass(slots=True)
class MultiplexingCounters:
    """What subscriptions of one process have done. All but `lag` and `clock` are about shared executions."""

    members: int = 0
    """Subscribers in all groups now."""
    executions: int = 0
    """Executions started so far: one per group, and one for each catch-up snapshot."""
    superseded: int = 0
    """States a subscriber did not get because a newer one came before it could be written."""
    lag: Histogram = field(default_factory=lambda: Histogram(LAG_SECONDS))
    """Seconds from a change of a board until it was written to a subscriber, once for each message."""
    clock: Callable[[], float] = time.time
    """Returns Unix time in seconds."""

    def observe_lag(self, changed_at: float | None, subscribers: int = 1) -> None:
        """Observe that what happened at `changed_at` is being written to `subscribers`."""
        if changed_at is not None and subscribers:
            self.lag.observe(max(0.0, self.clock() - changed_at), subscribers)


def changed_at_of(response: Response) -> float | None:
    """Return when what a response to an event reports happened, if the event says so."""
    changed_at: float | None = getattr(response.event, "changed_at", None)
    return changed_at
