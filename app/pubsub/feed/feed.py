"""A feed: one process's copy of one board, read once per change for all its subscribers.

A change notification says that the board changed, never how. The feed waits for the coalescing time, reads, and puts
the newest state into the mailboxes of its subscribers. Between notifications it checks the version of the board, so
that a lost notification delays an update by a second at most.

The *head* is read first and alone, by one small call, and delivered at once. All other *views* follow in slices, see
`ViewReads`: they have their own connections to Redis, so that a head is read between two slices, or during one.

Guarantees:

- However many and however expensive the views are, whether they can be read or not: the head goes on.
- Reads of the head never overlap, nor do reads of views.
- Reads of views beyond the head, of all boards together, take at most a quarter of the time of the process.
- A view is read by one call at one version, together with the parts of the head that it shows. A subscriber receives
  either the head or one view, so every rank in one message comes from one ordering.
- For each subscriber no older version follows a newer one within an epoch, whatever the stores answer. The head can be
  at a newer version than a view, and the other way round, for the length of a pass.
- After the last change every mailbox receives the newest state.
- A failing read is repeated for as long as the feed has subscribers. While only views fail, only views become stale.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from app.domain.boards.board import Board, Page, Source, Version
from app.domain.boards.views import S, Slice, View
from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.cancellation import obey_cancellation
from app.pubsub.feed.board_reader import BoardReader
from app.pubsub.feed.clock import Clock
from app.pubsub.feed.counters import FeedCounters
from app.pubsub.feed.mailboxes import LatestValue
from app.pubsub.feed.pending_reads import PendingReads
from app.pubsub.feed.read_schedule import ReadSchedule
from app.pubsub.feed.shared_page import SharedPage
from app.pubsub.feed.subscribers import HEAD, Subscribers
from app.pubsub.feed.timing import FeedTiming
from app.pubsub.feed.version_tracker import VersionRegressed, VersionTracker
from app.pubsub.feed.view_budget import ViewBudget
from app.pubsub.feed.view_pacer import ViewPacer
from app.pubsub.feed.view_reads import ViewReads

MAX_SHARED_ENTRIES = 2000
"""How many entries the kept pages of one head may have together: clients choose `limit` and `offset` freely."""

MAX_REGRESSIONS = 3
"""How often in succession a store may answer with an older version; then its copy is not trusted any more."""

log = structlog.get_logger(__name__)


class Feed:
    """The head of one board, kept current by `run`, with the mailboxes of the board's subscribers."""

    def __init__(
        self,
        board: Board,
        reader: BoardReader,
        clock: Clock,
        timing: FeedTiming,
        counters: FeedCounters,
        budget: ViewBudget,
        pacer: ViewPacer,
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
        self._views = ViewReads(
            board,
            reader,
            self._subscribers,
            clock,
            timing,
            counters,
            pacer,
            is_head_current=lambda: self._subscribers.head is not None and not self._schedule.failing,
            on_newer_version=self._notify_head_changed,
            on_overload=lambda: budget.relieve(board.key),
        )
        self._pending_reads = PendingReads()
        self._wake = asyncio.Event()
        self._version_check_due = False
        self._reread_due = False
        self._own_writes = 0
        self._own_writes_read = 0
        self._regressions = 0
        self._refreshing = False
        self._announced: Version | None = None
        self._changed_at: float | None = None
        """When the first change happened that no read has covered yet."""
        self._shared_head: Page | None = None
        self._shared_pages: dict[tuple[int, int], SharedPage] = {}
        self._shared_entries = 0

    @property
    def subscribers(self) -> int:
        """The number of subscribers."""
        return self._subscribers.count

    def is_over(self, now: datetime) -> bool:
        """Whether the window of the board is over, so that another board is the open one."""
        return self._ends_at is not None and now >= self._ends_at

    def notify_changed(self, version: Version, *, top_moved: bool, changed_at: float | None = None) -> None:
        """Take a change notification: the board is at `version` or later.

        Without `top_moved` the change is below the head, which concerns the subscribers of other views only.
        """
        if top_moved:
            self._notify_head_changed(version, changed_at)  # The other views are read once the head was.
        else:
            self._views.notify_changed(version)

    def _notify_head_changed(self, version: Version, changed_at: float | None = None) -> None:
        if not self._versions.covers(version):
            self._changed_at = _earlier(self._changed_at, changed_at)
            self._announced = version
            self._wake.set()

    def invalidate(self) -> None:
        """Read again, although the version may be the same."""
        self._reread_due = True
        self._wake.set()

    def reread_own_write(self) -> None:
        """Read again, soon and also while PostgreSQL replaces Redis, because this process has changed the board."""
        self._own_writes += 1
        self.invalidate()

    def check_version(self) -> None:
        """Check the version now, because notifications may have been lost."""
        self._version_check_due = True
        self._wake.set()

    def shows(self, user_id: UUID) -> bool:
        """Whether any state of this feed shows the user."""
        return self._subscribers.shows(user_id)

    def current_head(self) -> Page | None:
        """Return the head as it was read, one object for as long as nothing changes; None if it may not be current."""
        schedule = self._schedule
        schedule.used_at = now = self._clock.monotonic()
        if (
            self._refresh_due
            or self._version_check_due
            or self._refreshing
            or schedule.failing
            or schedule.fallback
            or not schedule.is_fresh(now)
        ):
            return None
        return self._subscribers.head

    def page_of_head(self, view: Slice) -> SharedPage | None:
        """Return a slice of the head without waiting, one object for as long as the current head is one.

        It includes every change that this process was notified of. While nothing can be read, it is the last known
        state, marked stale; while PostgreSQL replaces Redis, it is up to a second old.

        Returns:
            The page, or None if the head has to be read first.
        """
        head = self.current_head()
        if head is None:
            known = self._head_of_outage()
            return None if known is None else SharedPage(known.page_of_head(view.limit, view.offset))
        if self._shared_head is not head:
            self._shared_head = head
            self._drop_shared_pages()
        return self._shared_pages.get((view.offset, view.limit)) or self._share(head, view)

    async def fresh_head(self) -> Page:
        """Return the head, after a read if necessary; all pending callers share one read.

        Raises:
            ServiceUnavailable: The head cannot be read and never was.
        """
        if (head := self.current_head()) is not None:
            return replace(head, source=Source.MEMORY)
        if (known := self._head_of_outage()) is not None:
            return known
        if self._schedule.failing:
            raise ServiceUnavailable
        self._wake.set()
        return await self._pending_reads.wait()

    def attach(self, view: View[S], *, shows_total: bool = False) -> LatestValue[S]:
        """Add a subscriber of `view`. Its mailbox has the known state at once, newer ones follow.

        Without `shows_total` a state that differs in nothing but the number of users is not a newer one.
        """
        mailbox = self._subscribers.attach(view, shows_total=shows_total)
        if view != HEAD and not self._subscribers.has_state(view):
            self._views.add(view)
        self._wake.set()
        return mailbox

    def detach(self, view: View[S], mailbox: LatestValue[S]) -> None:
        """Remove a subscriber. May be repeated."""
        self._subscribers.detach(view, mailbox)
        self._schedule.used_at = self._clock.monotonic()
        self._wake.set()

    def fail_pending_reads(self) -> None:
        """Answer pending queries with ServiceUnavailable, because the feed is not running."""
        self._pending_reads.answer(None)

    def close(self) -> None:
        """Close every mailbox and fail pending queries."""
        self._subscribers.close()
        self.fail_pending_reads()

    async def run(self) -> None:
        """Keep the feed current until its window is over or it has been idle for a while."""
        async with asyncio.TaskGroup() as group:
            views = group.create_task(self._views.run())
            await self._run_head()
            views.cancel()
        if self._seconds_to_last_read() <= 0:
            await self._finish()

    async def _run_head(self) -> None:
        """Keep the head current until the window is over or the feed has been idle for a while."""
        while True:
            now = self._clock.monotonic()
            if self._seconds_to_last_read() <= 0:
                return
            if not self.subscribers and not self._pending_reads and self._schedule.is_idle(now):
                return
            delay = min(self._next_read_at() - now, self._seconds_to_last_read())
            if delay > 0:
                await self._sleep(delay)
            else:
                await self._refresh()
                obey_cancellation()

    def _head_of_outage(self) -> Page | None:
        """Return the head to show while a store is unavailable; None if there is none, or nothing is unavailable."""
        head, schedule = self._subscribers.head, self._schedule
        if head is not None and schedule.failing:
            return replace(head, stale=True)
        if self._own_write_due or not schedule.fallback:
            return None
        return head if schedule.is_fresh(self._clock.monotonic()) else None

    def _share(self, head: Page, view: Slice) -> SharedPage:
        page = replace(head, source=Source.MEMORY).page_of_head(view.limit, view.offset)
        self._shared_entries += len(page.entries) + 1
        if self._shared_entries > MAX_SHARED_ENTRIES:
            self._drop_shared_pages()
        shared = self._shared_pages[view.offset, view.limit] = SharedPage(page, head)
        return shared

    def _drop_shared_pages(self) -> None:
        self._shared_pages = {}
        self._shared_entries = 0

    @property
    def _own_write_due(self) -> bool:
        """Whether this process has changed the board since the beginning of the last successful read."""
        return self._own_writes_read < self._own_writes

    @property
    def _refresh_due(self) -> bool:
        return self._reread_due or self._announced is not None

    def _next_read_at(self) -> float:
        due = self._refresh_due or (self._subscribers.head is None and self.subscribers > 0)
        return self._schedule.next_at(
            check_version=self._version_check_due,
            due=due,
            own_write=self._own_write_due,
            waiting=bool(self._pending_reads),
        )

    def _seconds_to_last_read(self) -> float:
        """Return the seconds until the last read of the window, by the wall clock, which may be adjusted."""
        if self._ends_at is None:
            return math.inf
        return (self._ends_at + timedelta(seconds=self._timing.closing_delay) - self._clock.now()).total_seconds()

    async def _sleep(self, seconds: float) -> None:
        timer = self._clock.call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
            self._wake.clear()

    async def _finish(self) -> None:
        """Read the final state of the window for all subscribers and pending queries."""
        self._reread_due = True
        if self.subscribers or self._pending_reads:
            await self._refresh()
        self._subscribers.finish_head()
        self.fail_pending_reads()
        await self._views.finish()
        self._subscribers.finish()

    async def _refresh(self) -> None:
        """Confirm the state, by its version if that suffices, else by a read. Store failures are not raised."""
        started = self._clock.monotonic()
        pending_before = len(self._pending_reads)
        must_read = self._must_read()
        views_may_be_outdated = self._reread_due or self._schedule.failing
        # Requests recorded so far are served by this refresh; until it finishes, no query is answered from the old
        # state.
        self._refreshing = self._refresh_due or self._version_check_due
        self._version_check_due, self._reread_due, self._announced = False, False, None
        own_writes = self._own_writes
        changed_at, self._changed_at = self._changed_at, None
        try:
            async with asyncio.timeout(self._timing.read_timeout):
                if must_read or not await self._is_unchanged():
                    await self._read(started, changed_at)
        except Exception as error:
            self._changed_at = _earlier(self._changed_at, changed_at)
            self._reread_due = views_may_be_outdated
            self._handle_failure(error, started)
        else:
            self._own_writes_read = own_writes
            self._handle_success(started, pending_before)
            if views_may_be_outdated:
                self._views.invalidate()
        self._refreshing = False

    def _must_read(self) -> bool:
        head, schedule = self._subscribers.head, self._schedule
        return head is None or head.stale or schedule.fallback or schedule.failing or self._refresh_due

    async def _is_unchanged(self) -> bool:
        self._counters.polls += 1
        head = self._subscribers.head
        try:
            return head is not None and await self._reader.read_version(self.board) == head.version
        except ServiceUnavailable:
            return False

    async def _read(self, started: float, changed_at: float | None) -> None:
        self._counters.reads += 1
        self._schedule.tried_at = started
        head = await self._reader.read_head(self.board)
        if not self._versions.admit(head.version):
            self._regressions += 1
            if self._regressions >= MAX_REGRESSIONS:
                self._reader.report_regression(self.board, head.version)
            raise VersionRegressed(f"{self.board.key} is at {head.version}, but a newer version was read before")
        self._subscribers.publish(HEAD, head if changed_at is None else replace(head, changed_at=changed_at))

    def _handle_success(self, started: float, pending_before: int) -> None:
        head = self._subscribers.head
        assert head is not None
        self._regressions = 0
        took = self._clock.monotonic() - started
        self._schedule.confirm(started, fallback=head.source is Source.POSTGRES, took=took)
        if self._announced is not None and self._versions.covers(self._announced):
            self._announced = None
        # Queries that arrived during this read may expect a newer version; they keep waiting if a notification came.
        answered = pending_before if self._refresh_due or self._version_check_due else None
        self._pending_reads.answer(head, answered)
        self._views.notify_changed(head.version)
        self._views.wake()

    def _handle_failure(self, error: Exception, started: float) -> None:
        self._counters.failures += 1
        if isinstance(error, VersionRegressed):
            log.warning("board_went_back", board=self.board.key, cause=str(error))
        elif not isinstance(error, ServiceUnavailable | TimeoutError):
            log.error("board_read_failed", board=self.board.key, exc_info=error)
        elif not self._schedule.failing:
            log.warning("board_unavailable", board=self.board.key)
        self._schedule.fail(started)
        if not self._schedule.is_fresh(self._clock.monotonic()):
            self._subscribers.mark_stale()
        head = self._subscribers.head
        self._pending_reads.answer(head and replace(head, stale=True))


def _earlier(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two times, of which each may be unknown."""
    return other if one is None else one if other is None else min(one, other)
