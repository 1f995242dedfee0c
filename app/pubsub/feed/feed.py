"""A feed: one process's view of one board, read once per change however many watch.

Nudges say that the board moved, never how. The feed waits for a moment, reads, and leaves the newest state in the slots
of its watchers. Between nudges it checks the version of the board, so that a lost nudge costs a second at most.

Guarantees: readings never overlap; within one epoch no older version follows a newer one, whatever the stores answer;
after the last change every slot ends up with the newest state; a reader that fails is tried again for as long as
anybody watches.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.domain.boards.board import Board, Page, Source, Version
from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.cancellation import obey_cancellation
from app.pubsub.feed.board_reader import BoardReader, S, View
from app.pubsub.feed.clock import Clock
from app.pubsub.feed.counters import FeedCounters
from app.pubsub.feed.diff import with_entries_above
from app.pubsub.feed.mailboxes import LatestValue
from app.pubsub.feed.pending_reads import PendingReads
from app.pubsub.feed.read_schedule import ReadSchedule
from app.pubsub.feed.subscribers import HEAD, Subscribers
from app.pubsub.feed.timing import FeedTiming
from app.pubsub.feed.version_tracker import VersionTracker

log = logging.getLogger(__name__)


class VersionRegressed(Exception):
    """A store answered with an older version than it did before."""


class Feed:
    """The head of one board, kept current by `run`, with the slots of those who watch the board."""

    def __init__(
        self, board: Board, reader: BoardReader, clock: Clock, timing: FeedTiming, counters: FeedCounters
    ) -> None:
        self.board = board
        self._ends_at = board.window.ends_at
        self._reader = reader
        self._clock = clock
        self._timing = timing
        self._counters = counters
        self._schedule = ReadSchedule(timing, clock.monotonic())
        self._subscribers = Subscribers()
        self._versions = VersionTracker()
        self._pending_reads = PendingReads()
        self._wake = asyncio.Event()
        self._version_check_due = False
        self._reread_due = False
        self._refreshing = False
        self._announced: Version | None = None
        self._cut_edition: Page | None = None
        self._cuts: dict[tuple[int, int], Page] = {}

    @property
    def watchers(self) -> int:
        return self._subscribers.watchers

    def is_past(self, now: datetime) -> bool:
        """Whether the window of the board is over: another board is the open one."""
        return self._ends_at is not None and now >= self._ends_at

    def notify_changed(self, version: Version, *, top_moved: bool) -> None:
        """The board is at `version` or later. What moved below the head matters to those who watch there."""
        if (top_moved or self._subscribers.beyond_head) and not self._versions.covers(version):
            self._announced = version
            self._wake.set()

    def invalidate(self) -> None:
        """What was read may be wrong although its version is right: read it anew."""
        self._reread_due = True
        self._wake.set()

    def check_version(self) -> None:
        """Nudges may have been lost: check the version now."""
        self._version_check_due = True
        self._wake.set()

    def shows(self, user_id: UUID) -> bool:
        """Whether anything that this feed holds shows that user."""
        return self._subscribers.shows(user_id)

    def current_head(self) -> Page | None:
        """The head as it was read, one object for as long as nothing changed; None when it may not be the present."""
        head, schedule = self._subscribers.head, self._schedule
        schedule.used_at = now = self._clock.monotonic()
        if (
            self._due
            or self._version_check_due
            or self._refreshing
            or schedule.failing
            or schedule.fallback
            or not schedule.is_fresh(now)
        ):
            return None
        return head

    def page(self) -> Page | None:
        """The head for a query, without waiting; None when it has to be read first.

        It is as new as everything this process has heard of. While nothing can be read it is the last known one, marked
        stale; while PostgreSQL stands in, it is up to a second old.
        """
        if (current_head := self.current_head()) is not None:
            return replace(current_head, source=Source.MEMORY)
        head, schedule = self._subscribers.head, self._schedule
        if head is not None and schedule.failing:
            return replace(head, stale=True)
        return head if schedule.fallback and schedule.is_fresh(self._clock.monotonic()) else None

    def page_of_head(self, limit: int, offset: int) -> Page | None:
        """That part of `page`: one object for as long as the edition is one."""
        current_head = self.current_head()
        if current_head is None:
            page = self.page()
            return page and page.page_of_head(limit, offset)
        if self._cut_edition is not current_head:
            self._cut_edition, self._cuts = current_head, {}
        page_of_head = self._cuts.get((limit, offset))
        if page_of_head is None:
            page_of_head = self._cuts[limit, offset] = replace(current_head, source=Source.MEMORY).page_of_head(
                limit, offset
            )
        return page_of_head

    async def fresh_page(self) -> Page:
        """The head, read after this call if need be; all who wait share one reading.

        Raises ServiceUnavailable when it cannot be read and never was.
        """
        if (page := self.page()) is not None:
            return page
        if self._schedule.failing:
            raise ServiceUnavailable
        self._wake.set()
        return await self._pending_reads.wait()

    def attach(self, view: View[S]) -> LatestValue[S]:
        """A new watcher's slot. What is known is in it at once, the rest follows."""
        mailbox = self._subscribers.attach(view)
        self._wake.set()
        return mailbox

    def detach(self, view: View[S], mailbox: LatestValue[S]) -> None:
        """The watcher of `mailbox` left."""
        self._subscribers.detach(view, mailbox)
        self._schedule.used_at = self._clock.monotonic()
        self._wake.set()

    def fail_pending_reads(self) -> None:
        """Answers every query that waits: for now nobody reads."""
        self._pending_reads.answer(None)

    def close(self) -> None:
        """Ends every slot, and answers every query that waits: nobody reads any more."""
        self._subscribers.close()
        self.fail_pending_reads()

    async def run(self) -> None:
        """Keeps the feed current; returns when its window is over or nobody has used it for a while."""
        while True:
            now = self._clock.monotonic()
            if self._until_over() <= 0:
                return await self._finish()
            if not self._subscribers.watchers and not self._pending_reads and self._schedule.is_idle(now):
                return None
            delay = min(self._next_at() - now, self._until_over())
            if delay > 0:
                await self._sleep(delay)
            else:
                await self._refresh()
                obey_cancellation()

    @property
    def _due(self) -> bool:
        return self._reread_due or self._announced is not None

    def _next_at(self) -> float:
        due = self._due or bool(self._subscribers.missing)
        return self._schedule.next_at(check_version=self._version_check_due, due=due, waiting=bool(self._pending_reads))

    def _until_over(self) -> float:
        """Seconds until the last reading of the window. By the wall clock, which may be set: asked anew each time."""
        if self._ends_at is None:
            return math.inf
        return (self._ends_at + timedelta(seconds=self._timing.closing_delay) - self._clock.now()).total_seconds()

    async def _sleep(self, seconds: float) -> None:
        alarm = self._clock.call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()
            self._wake.clear()

    async def _finish(self) -> None:
        """The last word on a window that is over."""
        self._reread_due = True
        if self._subscribers.watchers or self._pending_reads:
            await self._refresh()
        self._subscribers.finish()
        self.fail_pending_reads()

    async def _refresh(self) -> None:
        """Makes sure of the state, by the version if that can be enough. Never raises for the reader's sake."""
        started = self._clock.monotonic()
        early = len(self._pending_reads)
        whole = self._must_read()
        # What was heard is taken care of from here on; until that is done, nobody is to be told what was known before.
        self._refreshing = self._due or self._version_check_due
        self._version_check_due, self._reread_due, self._announced = False, False, None
        try:
            async with asyncio.timeout(self._timing.read_timeout):
                if whole or not await self._unchanged():
                    await self._read([HEAD, *self._subscribers.beyond_head], started)
                elif missing := self._subscribers.missing:
                    await self._read_more([HEAD, *missing], started)
        except Exception as error:
            self._fail(error, started)
        else:
            self._succeed(started, early)
        self._refreshing = False

    def _must_read(self) -> bool:
        head = self._subscribers.head
        return head is None or head.stale or self._schedule.fallback or self._schedule.failing or self._due

    async def _unchanged(self) -> bool:
        self._counters.polls += 1
        head = self._subscribers.head
        try:
            return head is not None and await self._reader.read_version(self.board) == head.version
        except ServiceUnavailable:
            return False

    async def _read_more(self, views: Sequence[View[Any]], started: float) -> None:
        """Reads what new watchers need. If the board moved meanwhile, the others are not to be left behind."""
        before = self._subscribers.head
        await self._read(views, started)
        after = self._subscribers.head
        if before is None or after is None or before.version != after.version:
            self._reread_due = True

    async def _read(self, views: Sequence[View[Any]], started: float) -> None:
        self._counters.reads += 1
        self._schedule.tried_at = started
        states = dict(zip(views, await self._reader.read_views(self.board, views), strict=True))
        head = states[HEAD]
        assert isinstance(head, Page)
        if not self._versions.admit(head.version):
            raise VersionRegressed(f"{self.board.key} fell back to {head.version}")
        for view, state in states.items():
            self._subscribers.show(view, with_entries_above(state, head))

    def _succeed(self, started: float, early: int) -> None:
        head = self._subscribers.head
        assert head is not None
        self._schedule.confirm(started, fallback=head.source is Source.POSTGRES)
        if self._announced is not None and self._versions.covers(self._announced):
            self._announced = None
        # Whoever asked while this was under way may know of something newer, unless nothing was heard since.
        self._pending_reads.answer(head, early if self._due or self._version_check_due else None)

    def _fail(self, error: Exception, started: float) -> None:
        self._counters.failures += 1
        if not isinstance(error, ServiceUnavailable | TimeoutError):
            log.error("cannot read %s", self.board.key, exc_info=error)
        elif not self._schedule.failing:
            log.warning("nothing answers for %s", self.board.key)
        self._schedule.fail(started)
        if not self._schedule.is_fresh(self._clock.monotonic()):
            self._subscribers.mark_stale()
        head = self._subscribers.head
        self._pending_reads.answer(head and replace(head, stale=True))
