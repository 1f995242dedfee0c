"""How often a board is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedTiming:
    """The rhythm of a feed, in seconds.

    `join`      changes within this time become one reading; the first after a quiet time is read at once
    `miss`      least time between readings that answer queries
    `poll`      a board that nobody speaks of is checked this often, one that cannot be read is tried this often
    `fallback`  least time between readings while PostgreSQL stands in for Redis
    `fresh`     a reading that was not confirmed for longer than this is no longer taken for the present
    `grace`     a window is read for the last time this long after its end: commits may be in flight
    `idle`      a feed that nobody uses for this long is released
    `answer`    a reader that has not answered after this long never will
    """

    join: float = 0.1
    miss: float = 0.02
    poll: float = 1.0
    fallback: float = 1.0
    fresh: float = 1.5
    grace: float = 0.3
    idle: float = 30.0
    answer: float = 5.0
