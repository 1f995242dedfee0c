"""The hub: the live boards of one process, and their heads in memory.

It keeps one feed per open board that is watched or queried, and passes change notifications on to the feeds. Callers
must have checked that a category exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from broadcaster import Broadcast

from app.domain.boards.board import TOP, Board, BoardUpdate, Page, board_of
from app.domain.boards.overtaking import UserChange
from app.domain.boards.periods import Period
from app.domain.boards.view_cost import lookups_beyond_head
from app.domain.boards.views import Around, Head, Player, S, Slice, View, with_extra_views
from app.domain.errors import BadUserInput, ServiceUnavailable
from app.domain.players.milestones import Milestone
from app.pubsub.channels.channel_connection import Gap
from app.pubsub.channels.events import (
    BoardMoved,
    MilestoneReached,
    Notice,
    NoticesLost,
    ProfileChanged,
    boards_channel,
    decode_boards,
)
from app.pubsub.channels.notices import Notices
from app.pubsub.feed.board_reader import BoardReader
from app.pubsub.feed.clock import Clock
from app.pubsub.feed.counters import FeedCounters
from app.pubsub.feed.diff import board_update, user_change
from app.pubsub.feed.feed import Feed
from app.pubsub.feed.mailboxes import DropOldestQueue, LatestValue
from app.pubsub.feed.shared_page import SharedPage
from app.pubsub.feed.subscribers import HEAD
from app.pubsub.feed.timing import FeedTiming
from app.pubsub.feed.total_updates import TotalUpdates
from app.pubsub.feed.view_budget import ViewBudget, ViewLimits, ViewOwners
from app.pubsub.feed.view_pacer import ViewPacer

U = TypeVar("U")


class Hub:
    """The feeds of all boards in use, with their subscribers.

    Nothing is read unless `run` is running; it can be run again after it failed, without effect on subscribers.
    """

    def __init__(
        self,
        reader: BoardReader,
        broadcast: Broadcast,
        notices: Notices,
        *,
        clock: Clock,
        timing: FeedTiming | None = None,
        view_limits: ViewLimits | None = None,
    ) -> None:
        self.counters = FeedCounters()
        self.budget = ViewBudget(view_limits)
        self._reader = reader
        self._broadcast = broadcast
        self._clock = clock
        self._timing = timing or FeedTiming()
        self._pacer = ViewPacer(clock, self._timing)
        self._feeds: dict[str, Feed] = {}
        self._open_feeds: dict[tuple[str, Period], Feed] = {}
        self._channels: dict[str, asyncio.Task[None]] = {}
        self._milestones: dict[DropOldestQueue[Milestone], UUID | None] = {}
        self._new_feeds: asyncio.Queue[Feed] = asyncio.Queue()
        self._closed = False
        notices.listen(self._take_notice)

    @property
    def feeds(self) -> int:
        """The number of boards that this process follows."""
        return len(self._feeds)

    @property
    def watchers(self) -> int:
        """The number of open iterators over boards, users and milestones."""
        return sum(feed.subscribers for feed in self._feeds.values()) + len(self._milestones)

    async def run(self) -> None:
        """Follow the boards until cancelled. Failures of the stores are not raised."""
        self._new_feeds = asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                for feed in self._feeds.values():
                    feed.invalidate()  # Notifications may have been lost while the feeds were not running.
                    self._start(group, feed)
                while True:  # Only this task starts others, so none is added to a group that is being cancelled.
                    self._start(group, await self._new_feeds.get())
        finally:
            self._channels.clear()
            for feed in self._feeds.values():
                feed.fail_pending_reads()

    def close(self) -> None:
        """End every iterator, and new ones at once, because the process shuts down."""
        self._closed = True
        for feed in self._feeds.values():
            feed.close()
        for mailbox in self._milestones:
            mailbox.close()

    def current_head(self, category: str, period: Period) -> Page | None:
        """Return the head of the open board, one object for as long as nothing on it changes, names included.

        Returns:
            The head, or None if memory does not have it or it is not known to be current. Takes a microsecond; no I/O.
        """
        feed = self._open_feed(category, period)
        return None if feed is None else feed.current_head()

    def page(self, category: str, period: Period, view: Slice) -> SharedPage | None:
        """Return a slice of the open board's head from memory.

        It includes the changes that `notify_changed` and other processes announced. Takes microseconds; no I/O.

        Returns:
            The page, or None if the slice reaches beyond the head, or memory does not have a current head.
        """
        if not view.is_in_head or (feed := self._open_feed(category, period)) is None:
            return None
        return feed.page_of_head(view)

    async def fresh_page(self, category: str, period: Period, view: Slice) -> SharedPage | None:
        """Return a slice of the open board's head, reading the head if necessary; concurrent callers share the read.

        Returns:
            The page; the last known one, marked stale, while no store answers; None if the slice reaches beyond the
            head, which only a store can answer.

        Raises:
            ServiceUnavailable: No store answers, and no page is known.
        """
        if not view.is_in_head:
            return None
        try:
            async with asyncio.timeout(self._timing.read_timeout):
                head = await self._feed(category, period).fresh_head()
        except TimeoutError:  # The feed is not running at the moment.
            raise ServiceUnavailable from None
        return SharedPage(head.page_of_head(view.limit, view.offset))

    def notify_changed(self, changes: Iterable[BoardMoved]) -> None:
        """Take change notifications, also those of this process's own writer: its readers see its writes at once."""
        for change in changes:
            self.counters.notifications += 1
            if (feed := self._feeds.get(change.board)) is not None:
                feed.notify_changed(change.version, top_moved=change.top_moved, changed_at=change.changed_at)

    def reread_own_writes(self, boards: Iterable[Board]) -> None:
        """Read boards again that this process has changed and that Redis does not have: its readers see its writes."""
        for board in boards:
            if (feed := self._feeds.get(board.key)) is not None:
                feed.reread_own_write()

    def invalidate(self) -> None:
        """Read every board again: a store came or went, or what boards show of all users changed."""
        for feed in self._feeds.values():
            feed.invalidate()

    def watch(
        self,
        category: str,
        period: Period,
        view: Slice | Around,
        extra_views: Sequence[View[Page]] = (),
        owners: ViewOwners | None = None,
        *,
        shows_total: bool = False,
    ) -> AsyncGenerator[BoardUpdate, None]:
        """Watch a slice of the open board's head, or the entries around a user, together with `extra_views`.

        The first message is a SNAPSHOT; an UPDATE follows when anything visible has changed. When the window ends, its
        final page comes as an UPDATE and the next window as a SNAPSHOT. A slow reader misses states in between, never
        the newest one. While no store answers, one UPDATE says that the page is stale.

        Args:
            category: The id of a category that exists.
            period: A period of which the category keeps boards.
            view: What to watch. Around a user without a score there are no entries.
            extra_views: Views of the same board to read at the same version.
            owners: Whom views beyond the head are charged to; None charges them to nobody in particular.
            shows_total: Whether the watcher shows the number of users on the board, so that a change of nothing else is
                worth a message: at most one per second.

        Raises:
            ValueError: `view` is a slice that reaches beyond the head.
            BadUserInput: From the iterator: the views are too expensive for one subscription.
            RateLimited: From the iterator, at any time: there is no room for views of these owners.
        """
        if isinstance(view, Around):
            around = with_extra_views(view, extra_views)
            return self._watch(category, period, around, lambda page: page, board_update, owners, shows_total)
        if not view.is_in_head:
            raise ValueError(f"a slice to watch must be within the first {TOP} entries: {view}")
        return self._watch(
            category,
            period,
            with_extra_views(Head(), extra_views),
            lambda head: head.page_of_head(view.limit, view.offset),
            board_update,
            owners,
            shows_total,
        )

    def watch_user(
        self,
        user_id: UUID,
        category: str,
        period: Period,
        owners: ViewOwners | None = None,
        *,
        shows_total: bool = False,
    ) -> AsyncGenerator[UserChange, None]:
        """Watch one user's score and rank on the open board: a SNAPSHOT, then an UPDATE per change. See `watch`.

        Raises:
            RateLimited: From the iterator, at any time: there is no room for views of these owners.
        """
        return self._watch(category, period, Player(user_id), lambda view: view, user_change, owners, shows_total)

    async def watch_milestones(self, user_id: UUID | None = None) -> AsyncGenerator[Milestone, None]:
        """Watch the milestones of one user, or of all, from now on. A slow reader misses the oldest ones."""
        mailbox: DropOldestQueue[Milestone] = DropOldestQueue()
        self._milestones[mailbox] = user_id
        try:
            if self._closed:
                return
            async for milestone in mailbox:
                yield milestone
        finally:
            del self._milestones[mailbox]

    async def _watch(
        self,
        category: str,
        period: Period,
        view: View[S],
        visible_part: Callable[[S], S],
        message: Callable[[S | None, S, bool], U | None],
        owners: ViewOwners | None,
        shows_total: bool,
    ) -> AsyncGenerator[U, None]:
        max_lookups = self._timing.max_lookups_per_read
        if lookups_beyond_head(view) > max_lookups:
            raise BadUserInput(
                f"One subscription must show at most about {max_lookups} selected users and neighbours of users."
            )
        owners = owners or ViewOwners()
        while not self._closed:
            feed = self._feed(category, period)
            mailbox = feed.attach(view, shows_total=shows_total)
            totals = TotalUpdates(mailbox, self._clock, self._timing.total_interval)
            shown: S | None = None
            try:
                if view != HEAD:
                    self._charge(owners, feed, view, mailbox)
                async for newest in mailbox:
                    state = visible_part(newest)
                    update = message(shown, state, mailbox.closed or totals.are_due(shown, newest))
                    if update is not None:
                        shown = state
                        totals.note_sent()
                        yield update
            finally:
                totals.cancel()
                self.budget.remove(owners, feed.board.key, view, mailbox)
                feed.detach(view, mailbox)

    def _charge(self, owners: ViewOwners, feed: Feed, view: View[S], mailbox: LatestValue[S]) -> None:
        def drop(error: Exception) -> None:
            feed.detach(view, mailbox)  # At once: its reader may be slow to notice.
            mailbox.fail(error)

        self.budget.add(owners, feed.board.key, view, mailbox, drop)

    def _open_feed(self, category: str, period: Period) -> Feed | None:
        """Return the feed of the board that is open now, if there is one."""
        feed = self._open_feeds.get((category, period))
        return None if feed is None or feed.is_over(self._clock.now()) else feed

    def _feed(self, category: str, period: Period) -> Feed:
        feed = self._open_feed(category, period)
        if feed is None:
            board = board_of(category, period, self._clock.now())
            feed = Feed(board, self._reader, self._clock, self._timing, self.counters, self.budget, self._pacer)
            self._feeds[board.key] = self._open_feeds[category, period] = feed
            self._new_feeds.put_nowait(feed)
        return feed

    def _start(self, group: asyncio.TaskGroup, feed: Feed) -> None:
        category = feed.board.category
        if category not in self._channels:
            self._channels[category] = group.create_task(self._listen(category))
        group.create_task(self._run_feed(feed))

    async def _run_feed(self, feed: Feed) -> None:
        """Run a feed, then release it, together with the channel if it was the last feed of its category."""
        await feed.run()
        board = feed.board
        del self._feeds[board.key]
        if self._open_feeds.get((board.category, board.window.period)) is feed:
            del self._open_feeds[board.category, board.window.period]
        if all(other.board.category != board.category for other in self._feeds.values()):
            self._channels.pop(board.category).cancel()

    async def _listen(self, category: str) -> None:
        async with self._broadcast.subscribe(boards_channel(category)) as subscriber:
            while True:
                event = await subscriber.get()
                changes = None if isinstance(event, Gap) else decode_boards(category, event.message)
                if changes is not None:
                    self.notify_changed(changes)
                    continue
                self.counters.gaps += isinstance(event, Gap)
                self.counters.unreadable += not isinstance(event, Gap)
                for feed in self._feeds.values():
                    if feed.board.category == category:
                        feed.check_version()

    def _take_notice(self, notice: Notice) -> None:
        match notice:
            case ProfileChanged(user_id):
                for feed in self._feeds.values():
                    if feed.shows(user_id):
                        feed.invalidate()
            case MilestoneReached(milestone):
                for mailbox, wanted in self._milestones.items():
                    if wanted in (None, milestone.user.id):
                        mailbox.put(milestone)
            case NoticesLost():
                self.invalidate()
