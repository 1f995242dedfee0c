"""When a feed reads next."""

from __future__ import annotations

import math

from app.pubsub.feed.timing import FeedTiming

FALLBACK_PAUSE = 4.0
"""How many times as long as the last read took is waited between two reads while PostgreSQL replaces Redis."""


class ReadSchedule:
    """The times of one feed in monotonic seconds, and when to read next.

    Attributes:
        tried_at: The start of the last read.
        confirmed_at: The start of the last read or version check that confirmed the state.
        used_at: The last time that the feed was used.
        failing: Whether the last read failed.
        fallback: Whether PostgreSQL replaces Redis.
    """

    def __init__(self, timing: FeedTiming, now: float) -> None:
        self.tried_at = -math.inf
        self.confirmed_at = -math.inf
        self.used_at = now
        self.failing = False
        self.fallback = False
        self._took = 0.0
        self._timing = timing

    def next_at(self, *, check_version: bool, due: bool, own_write: bool, waiting: bool) -> float:
        """Return the time of the next read or check.

        Args:
            check_version: Notifications may have been lost.
            due: There is something new to read.
            own_write: This process has changed the board.
            waiting: Queries wait for the next read.
        """
        timing = self._timing
        if check_version:
            return -math.inf  # A gap is reported when Redis is available again, so a failing feed reads as well.
        if self.failing:
            return self.tried_at + timing.poll_interval
        times = [self.confirmed_at + (timing.fallback_interval if self.fallback else timing.poll_interval)]
        if due and self.fallback and not own_write:
            times.append(self.tried_at + timing.fallback_interval)
        elif due:
            times.append(self.tried_at + max(timing.coalesce_seconds, self._pause))
        if waiting:
            times.append(self.tried_at + max(timing.min_query_interval, self._pause))
        return min(times)

    def is_fresh(self, now: float) -> bool:
        """Whether the state was confirmed recently enough to be used as the current one."""
        return now - self.confirmed_at <= self._timing.max_age

    def is_idle(self, now: float) -> bool:
        """Whether the feed was not used for so long that it can be released."""
        return now >= self.used_at + self._timing.idle_timeout

    @property
    def _pause(self) -> float:
        """Seconds that PostgreSQL is left alone after a read, so that it is not busy with one board only."""
        return min(FALLBACK_PAUSE * self._took, self._timing.fallback_interval) if self.fallback else 0.0

    def confirm(self, started: float, *, fallback: bool, took: float) -> None:
        """Record that a read or check which began at `started`, and took so long, confirmed the state."""
        self._took = took
        self.confirmed_at = started
        self.failing = False
        self.fallback = fallback

    def fail(self, started: float) -> None:
        """Record that a read which began at `started` failed."""
        self.tried_at = started
        self.failing = True
