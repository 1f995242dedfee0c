"""When a feed reads next."""

from __future__ import annotations

import math

from app.pubsub.feed.timing import FeedTiming


class ReadSchedule:
    """The times of one feed, in monotonic seconds, and what follows from them.

    `tried_at` is the start of the last reading, `confirmed_at` the start of the last reading or check that left no
    doubt about the state, `used_at` the last time that anybody asked. `failing`: the last attempt got no answer;
    `fallback`: PostgreSQL answers in place of Redis.
    """

    def __init__(self, timing: FeedTiming, now: float) -> None:
        self.tried_at = -math.inf
        self.confirmed_at = -math.inf
        self.used_at = now
        self.failing = False
        self.fallback = False
        self._timing = timing

    def next_at(self, *, check_version: bool, due: bool, waiting: bool) -> float:
        """When to read or check.

        `check_version`: nudges may have been lost; `due`: there is something new to read; `waiting`: queries wait for
        it.
        """
        timing = self._timing
        if check_version:
            return -math.inf  # also a sign that Redis is back
        if self.failing:
            return self.tried_at + timing.poll_interval
        times = [self.confirmed_at + (timing.fallback_interval if self.fallback else timing.poll_interval)]
        if due:
            times.append(self.tried_at + (timing.fallback_interval if self.fallback else timing.coalesce_seconds))
        if waiting:
            times.append(self.tried_at + timing.min_query_interval)
        return min(times)

    def is_fresh(self, now: float) -> bool:
        """Whether what was confirmed last may still be taken for the present."""
        return now - self.confirmed_at <= self._timing.max_age

    def is_idle(self, now: float) -> bool:
        """Whether nobody has asked for so long that the feed can go."""
        return now >= self.used_at + self._timing.idle_timeout

    def confirm(self, started: float, *, fallback: bool) -> None:
        """What was known or read at `started` is the truth."""
        self.confirmed_at = started
        self.failing = False
        self.fallback = fallback

    def fail(self, started: float) -> None:
        """An attempt that began at `started` got no answer."""
        self.tried_at = started
        self.failing = True
