"""Deliveries that have not succeeded yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that has not succeeded yet.

    Attributes:
        position: The position of the event.
        attempts: How many have failed.
        next_attempt_at: When the next one is due; None if an earlier delivery of the subject comes first.
        dead_at: When it was given up; None before.
    """

    position: int
    event_id: UUID
    type: str
    subject: str
    envelope: str
    attempts: int = 0
    first_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    dead_at: datetime | None = None
    last_error: str | None = None
