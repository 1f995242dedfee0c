"""The reads of all views of one board beyond its head, in slices of bounded cost.

A *pass* reads every subscribed view once, in slices of at most `max_lookups_per_read` look-ups. Slices are separate
calls to a store, with a turn of the event loop in between, so that neither the store nor the loop is occupied by the
views of one board. Each slice includes the head, so that all views of a slice, and what they show of the head, are of
one version. The slices of all boards together take at most a quarter of the time, see `ViewPacer`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from app.domain.boards.board import Board, Page, Source, Version
from app.domain.boards.view_cost import lookups_beyond_head
from app.domain.boards.views import View
from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.cancellation import obey_cancellation
from app.pubsub.feed.board_reader import BoardReader
from app.pubsub.feed.clock import Clock
from app.pubsub.feed.counters import FeedCounters
from app.pubsub.feed.diff import with_entries_above
from app.pubsub.feed.subscribers import HEAD, Subscribers
from app.pubsub.feed.timing import FeedTiming
from app.pubsub.feed.version_tracker import VersionRegressed, VersionTracker
from app.pubsub.feed.view_pacer import ViewPacer

log = structlog.get_logger(__name__)

ViewQueue = dict[View[Any], None]


class ViewReads:
    """Keeps the views of one board beyond its head current, while `run` is running."""

    def __init__(
        self,
        board: Board,
        reader: BoardReader,
        subscribers: Subscribers,
        clock: Clock,
        timing: FeedTiming,
        counters: FeedCounters,
        pacer: ViewPacer,
        *,
        is_head_current: Callable[[], bool],
        on_newer_version: Callable[[Version], None],
        on_overload: Callable[[], None],
    ) -> None:
        """Create the reads of a board.

        Args:
            board: The board.
            reader: Reads the views.
            subscribers: Receive the views.
            clock: Time and timers.
            timing: The bounds.
            counters: Counts reads and failures.
            pacer: Spaces the slices of all boards.
            is_head_current: Nothing is read while this is false: the head comes first.
            on_newer_version: Called with the version of a slice, which may be newer than that of the head.
            on_overload: Called when the views are too expensive.
        """
        self._board = board
        self._reader = reader
        self._subscribers = subscribers
        self._clock = clock
        self._timing = timing
        self._counters = counters
        self._pacer = pacer
        self._is_head_current = is_head_current
        self._on_newer_version = on_newer_version
        self._on_overload = on_overload
        self._versions = VersionTracker()
        self._wake = asyncio.Event()
        self._announced: Version | None = None
        self._reread_due = False
        self._unread: ViewQueue = {}
        self._remaining: ViewQueue = {}
        self._unread_first = True
        self._pass_version: Version | None = None
        """The version of the first slice of the pass, which all views have at least once it is complete."""
        self._pass_started = -math.inf
        self._pass_seconds = 0.0
        self._in_pass = False
        self._next_pass_at = -math.inf
        self._slow_passes = 0
        self._failing_since: float | None = None
        self._retry_at = -math.inf

    def notify_changed(self, version: Version) -> None:
        """Read all views again, unless they have `version` already."""
        if self._subscribers.has_views_beyond_head and not self._covers(version):
            self._announced = version
            self._wake.set()

    def invalidate(self) -> None:
        """Read all views again, although the version may be the same."""
        self._reread_due = True
        self._wake.set()

    def add(self, view: View[Any]) -> None:
        """Read a view soon that was never read."""
        self._unread[view] = None
        self._wake.set()

    def wake(self) -> None:
        """Check whether there is anything to read, because the head was read."""
        self._wake.set()

    async def run(self) -> None:
        """Read views until cancelled. Failures of the stores are not raised."""
        while True:
            delay = self._next_read_at() - self._clock.monotonic()
            if delay > 0:
                await self._sleep(delay)
            else:
                await self._read_slice()
            obey_cancellation()

    async def finish(self) -> None:
        """Read the final state of all views once; a view that cannot be read keeps the state that it has."""
        self._begin_pass()
        while self._remaining:
            delay = self._pacer.ready_at - self._clock.monotonic()
            if delay > 0:
                await self._sleep(delay)
            elif not await self._read_slice():
                return

    def _next_read_at(self) -> float:
        if not self._is_head_current():
            return math.inf
        if self._failing_since is not None:
            return max(self._retry_at, self._pacer.ready_at)
        if self._unread or self._remaining:
            return self._pacer.ready_at
        if (self._announced is not None or self._reread_due) and self._subscribers.has_views_beyond_head:
            return max(self._next_pass_at, self._pacer.ready_at)
        return math.inf

    async def _sleep(self, seconds: float) -> None:
        timer = None if math.isinf(seconds) else self._clock.call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()
            self._wake.clear()

    def _begin_pass(self) -> None:
        self._remaining = dict.fromkeys(self._subscribers.views_beyond_head)
        self._unread.clear()
        self._announced, self._reread_due, self._pass_version = None, False, None
        self._pass_started, self._pass_seconds, self._in_pass = self._clock.monotonic(), 0.0, True

    async def _read_slice(self) -> bool:
        """Read the next slice at a time that the pacer allows. Returns False if it could not be read."""
        with self._pacer.space():
            is_read = await self._try_to_read_slice()
            await asyncio.sleep(0)  # The subscribers send what they were given, which is part of the slice's cost.
        return is_read

    async def _try_to_read_slice(self) -> bool:
        if not self._unread and not self._remaining:
            self._begin_pass()
        views = self._take_slice()
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timing.read_timeout):
                head = await self._read(views) if views else None
        except Exception as error:
            self._handle_failure(views, error, started)
            return False
        self._failing_since = None
        self._pass_seconds += self._clock.monotonic() - started
        if head is not None:
            self._handle_version(head)
        if self._in_pass and not self._remaining:
            self._end_pass(is_fallback=head is not None and head.source is Source.POSTGRES)
        return True

    def _take_slice(self) -> list[View[Any]]:
        """Take views from the queues that may be read together; at least one, however expensive."""
        views: list[View[Any]] = []
        cost = 0
        # In turns, so that new watchers do not wait for a whole pass, and cannot keep it from being completed.
        queues = (self._unread, self._remaining) if self._unread_first else (self._remaining, self._unread)
        self._unread_first = not self._unread_first
        for queue in queues:
            while queue:
                view = next(iter(queue))
                more = lookups_beyond_head(view)
                if views and cost + more > self._timing.max_lookups_per_read:
                    return views
                self._unread.pop(view, None)
                self._remaining.pop(view, None)
                if self._subscribers.has(view):
                    views.append(view)
                    cost += more
        return views

    async def _read(self, views: Sequence[View[Any]]) -> Page:
        self._counters.view_reads += 1
        head, *states = await self._reader.read_views(self._board, [HEAD, *views])
        assert isinstance(head, Page)
        if not self._versions.admit(head.version):
            raise VersionRegressed(f"{self._board.key} is at {head.version}, but a newer version was read before")
        for view, state in zip(views, states, strict=True):
            self._subscribers.publish(view, with_entries_above(state, head))
        return head

    def _handle_version(self, head: Page) -> None:
        """Have the views of earlier slices, and the head, read again if the board has changed since."""
        if self._pass_version is None:
            self._pass_version = head.version
            if self._announced is not None and self._covers(self._announced):
                self._announced = None
        if head.source is not Source.POSTGRES:  # It has no versions: each read gets the next number.
            self.notify_changed(head.version)
            self._on_newer_version(head.version)

    def _end_pass(self, *, is_fallback: bool) -> None:
        timing = self._timing
        self._in_pass = False
        interval = timing.fallback_interval if is_fallback else timing.coalesce_seconds
        self._next_pass_at = self._pass_started + interval
        self._slow_passes = self._slow_passes + 1 if self._pass_seconds > timing.max_pass_seconds else 0
        if self._slow_passes >= timing.max_slow_passes:
            self._slow_passes = 0
            self._on_overload()

    def _handle_failure(self, views: Sequence[View[Any]], error: Exception, started: float) -> None:
        self._counters.failures += 1
        if isinstance(error, VersionRegressed):
            log.warning("board_went_back", board=self._board.key, cause=str(error))
        elif not isinstance(error, ServiceUnavailable | TimeoutError):
            log.error("views_read_failed", board=self._board.key, exc_info=error)
        elif self._failing_since is None:
            log.warning("views_unavailable", board=self._board.key)
        self._pass_seconds += self._clock.monotonic() - started
        self._remaining = dict.fromkeys(views) | self._remaining
        self._retry_at = started + self._timing.poll_interval
        if self._failing_since is None:
            self._failing_since = started
        failing_for = self._clock.monotonic() - self._failing_since
        if failing_for >= self._timing.max_age:
            self._subscribers.mark_stale_beyond_head()
        if failing_for >= self._timing.max_failing_seconds and self._is_head_current():
            self._failing_since = self._clock.monotonic()
            self._on_overload()  # The head can be read, so it is the views that take too long.

    def _covers(self, version: Version) -> bool:
        at_least = self._pass_version
        return at_least is not None and version.epoch == at_least.epoch and version.number <= at_least.number
