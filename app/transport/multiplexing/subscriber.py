"""The interface between shared executions and their subscribers, and the counters of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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


@dataclass(slots=True)
class MultiplexingCounters:
    """What shared executions of one process have done."""

    members: int = 0
    """Subscribers in all groups now."""
    executions: int = 0
    """Executions started so far: one per group, and one for each catch-up snapshot."""
    superseded: int = 0
    """States a subscriber did not get because a newer one came before it could be written."""
