"""Counters of a hub, for metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FeedCounters:
    """Counts since the start of the process, of all feeds together.

    Attributes:
        notifications: Change notifications of boards, from this process or another.
        gaps: Times at which change notifications may have been lost.
        unreadable: Change notifications that could not be decoded.
        reads: Reads of the head of a board.
        view_reads: Reads of views beyond the head, several of them in each.
        polls: Checks of a board's version.
        failures: Reads and checks to which no store gave a usable answer.
    """

    notifications: int = 0
    gaps: int = 0
    unreadable: int = 0
    reads: int = 0
    view_reads: int = 0
    polls: int = 0
    failures: int = 0
