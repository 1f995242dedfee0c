"""The share of the time that reads of views beyond the head may take, of all boards of the process together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from app.pubsub.feed.clock import Clock
from app.pubsub.feed.timing import FeedTiming


class ViewPacer:
    """Spaces slices so that they take at most `max_view_share` of the time: a token bucket of seconds.

    Slices that are cheap or rare follow without a pause. What counts is the time that a slice took as a whole, which
    includes the wait for a store and for the processor, so the share of a busy process or store is smaller still.
    """

    def __init__(self, clock: Clock, timing: FeedTiming) -> None:
        """Create a pacer that allows a slice at once."""
        self._clock = clock
        self._share = timing.max_view_share
        self._burst = timing.view_burst_seconds / timing.max_view_share
        self._max_pause = timing.max_view_pause
        self._expected = 0.0
        self.ready_at = -math.inf
        """When the next slice may begin, in monotonic seconds."""

    @contextmanager
    def space(self) -> Iterator[None]:
        """Count what happens in the block as one slice.

        Until the block ends the slice counts as long as the last one, so that the slices of several boards do not
        begin at the same time.
        """
        started = self._clock.monotonic()
        expected = min(self._expected / self._share, self._max_pause)
        self.ready_at = max(self.ready_at, started - self._burst) + expected
        try:
            yield
        finally:
            now = self._clock.monotonic()
            self._expected = now - started
            self.ready_at = min(self.ready_at - expected + self._expected / self._share, now + self._max_pause)
