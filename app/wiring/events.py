"""Wiring of the outbox of events."""

from __future__ import annotations

from dataclasses import dataclass

from app.services.boards.compare_heads import CompareHeads
from app.services.outbox.sequence import EventRetention, EventSequence


@dataclass(frozen=True, slots=True)
class Outbox:
    """The jobs of the outbox."""

    sequence: EventSequence
    compare_heads: CompareHeads
    retention: EventRetention
