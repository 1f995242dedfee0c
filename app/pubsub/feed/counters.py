"""What a hub has done, for metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FeedCounters:
    """Counts since the start of the process, of all feeds together."""

    notifications: int = 0
    """Boards announced as moved, by this process or another."""
    gaps: int = 0
    """Times that announcements may have been lost."""
    unreadable: int = 0
    """Announcements that made no sense."""
    reads: int = 0
    """Readings of a board."""
    polls: int = 0
    """Checks of a board's version."""
    failures: int = 0
    """Attempts to which no store gave a usable answer."""
