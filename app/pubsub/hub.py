"""The hub: everything that a process shows live, and what it knows of boards without asking a store.

It keeps one feed per open board that somebody watches or asks for, and passes on to the feeds what is announced on the
channels. Categories are not checked here: whoever asks has made sure that they exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from broadcaster import Broadcast

from app.domain.boards.board import TOP, BoardUpdate, Page, board_of
from app.domain.boards.overtaking import UserChange
from app.domain.boards.periods import Period
from app.domain.errors import ServiceUnavailable
from app.domain.players.milestones import Milestone
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
from app.pubsub.channels.redis_backend import Gap
from app.pubsub.feed.board_reader import Around, BoardReader, Head, Player, S, View, with_extra_views
from app.pubsub.feed.clock import Clock
from app.pubsub.feed.counters import FeedCounters
from app.pubsub.feed.diff import board_update, user_change
from app.pubsub.feed.feed import Feed
from app.pubsub.feed.mailboxes import DropOldestQueue
from app.pubsub.feed.timing import FeedTiming

U = TypeVar("U")


class Hub:
    """Feeds by board, watchers by feed.

    `run` must be running for anything to move; it can be run again after it failed, and watchers notice nothing.
    """

    def __init__(
        self,
        reader: BoardReader,
        broadcast: Broadcast,
        notices: Notices,
        *,
        clock: Clock,
        timing: FeedTiming | None = None,
    ) -> None:
        self.counters = FeedCounters()
        self._reader = reader
        self._broadcast = broadcast
        self._clock = clock
        self._timing = timing or FeedTiming()
        self._feeds: dict[str, Feed] = {}
        self._open: dict[tuple[str, Period], Feed] = {}
        self._channels: dict[str, asyncio.Task[None]] = {}
        self._milestones: dict[DropOldestQueue[Milestone], UUID | None] = {}
        self._new: asyncio.Queue[Feed] = asyncio.Queue()
        self._closed = False
        notices.listen(self._notice)

    @property
    def feeds(self) -> int:
        """Boards that this process follows."""
        return len(self._feeds)

    @property
    def watchers(self) -> int:
        """Open iterators over boards, users and milestones."""
        return sum(feed.watchers for feed in self._feeds.values()) + len(self._milestones)

    async def run(self) -> None:
        """Follows the boards until cancelled. Raises only what is a fault in here."""
        self._new = asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                for feed in self._feeds.values():
                    feed.invalidate()  # whatever was heard while nobody ran them may be forgotten
                    self._start(group, feed)
                while True:  # this task alone starts others: nothing joins a group that is on its way down
                    self._start(group, await self._new.get())
        finally:
            self._channels.clear()
            for feed in self._feeds.values():
                feed.fail_pending_reads()

    def close(self) -> None:
        """Ends every iterator; new ones end at once. For the way down."""
        self._closed = True
        for feed in self._feeds.values():
            feed.close()
        for mailbox in self._milestones:
            mailbox.close()

    def current_head(self, category: str, period: Period) -> Page | None:
        """The head of the open board: one object for as long as nothing on it changed, names included.

        None when memory does not have it, or it is not known to be the present. No I/O, a microsecond.
        """
        feed = self._following(category, period)
        return None if feed is None else feed.current_head()

    def page(self, category: str, period: Period, limit: int, offset: int = 0) -> Page | None:
        """That part of the open board from memory; None when it is not there or not known to be the present.

        What `notify_changed` told of and what other processes announced is in it. No I/O, microseconds.
        """
        if not _in_head(limit, offset) or (feed := self._following(category, period)) is None:
            return None
        return feed.page_of_head(limit, offset)

    async def fresh_page(self, category: str, period: Period, limit: int, offset: int = 0) -> Page | None:
        """That part of the open board, read now if memory does not have it; concurrent callers share the reading.

        None when it reaches beyond the first `TOP` entries, which only a store can answer. While no store answers it is
        the last known page, marked stale; raises ServiceUnavailable when there is none.
        """
        if not _in_head(limit, offset):
            return None
        try:
            async with asyncio.timeout(self._timing.read_timeout):
                page = await self._feed(category, period).fresh_page()
        except TimeoutError:  # nobody runs the feed at the moment
            raise ServiceUnavailable from None
        return page.page_of_head(limit, offset)

    def notify_changed(self, moves: Iterable[BoardMoved]) -> None:
        """Boards moved: to be told by this process's own writer, so that its readers see what it wrote at once."""
        for move in moves:
            self.counters.notifications += 1
            if (feed := self._feeds.get(move.board)) is not None:
                feed.notify_changed(move.version, top_moved=move.top_moved)

    def invalidate(self) -> None:
        """Reads every board anew: for when a store came or went, or what boards show of all users changed."""
        for feed in self._feeds.values():
            feed.invalidate()

    def watch(
        self, category: str, period: Period, limit: int, extra_views: Sequence[View[Page]] = ()
    ) -> AsyncGenerator[BoardUpdate, None]:
        """The first `limit` entries of the open board, with what else is watched `extra_views` them.

        A SNAPSHOT, then an UPDATE when anything of it looks different.

        When the window ends, its last page comes as an UPDATE and the next window as a SNAPSHOT. A reader that is slow
        misses what lies between, never the newest. While no store answers, one UPDATE says that the page is stale.
        """
        return self._watch(
            category, period, with_extra_views(Head(), extra_views), lambda page: page.page_of_head(limit), board_update
        )

    def watch_around(
        self, category: str, period: Period, user_id: UUID, radius: int, extra_views: Sequence[View[Page]] = ()
    ) -> AsyncGenerator[BoardUpdate, None]:
        """As `watch`, for a user and up to `radius` entries above and below. No entries while the user has no row."""
        view = with_extra_views(Around(user_id, radius), extra_views)
        return self._watch(category, period, view, lambda page: page, board_update)

    def watch_user(self, user_id: UUID, category: str, period: Period) -> AsyncGenerator[UserChange, None]:
        """One user's score and rank on the open board: a SNAPSHOT, then an UPDATE when they changed."""
        return self._watch(category, period, Player(user_id), lambda view: view, user_change)

    async def watch_milestones(self, user_id: UUID | None = None) -> AsyncGenerator[Milestone, None]:
        """Milestones reached from now on, of one user or of all. Of a reader that is slow the oldest are lost."""
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
        part: Callable[[S], S],
        message: Callable[[S | None, S, bool], U | None],
    ) -> AsyncGenerator[U, None]:
        while not self._closed:
            feed = self._feed(category, period)
            mailbox = feed.attach(view)
            shown: S | None = None
            try:
                async for state in mailbox:
                    seen = part(state)
                    update = message(shown, seen, mailbox.closed)
                    if update is not None:
                        shown = seen
                        yield update
            finally:
                feed.detach(view, mailbox)

    def _following(self, category: str, period: Period) -> Feed | None:
        """The feed of the board that is open now, if there is one."""
        feed = self._open.get((category, period))
        return None if feed is None or feed.is_past(self._clock.now()) else feed

    def _feed(self, category: str, period: Period) -> Feed:
        feed = self._following(category, period)
        if feed is None:
            board = board_of(category, period, self._clock.now())
            feed = Feed(board, self._reader, self._clock, self._timing, self.counters)
            self._feeds[board.key] = self._open[category, period] = feed
            self._new.put_nowait(feed)
        return feed

    def _start(self, group: asyncio.TaskGroup, feed: Feed) -> None:
        category = feed.board.category
        if category not in self._channels:
            self._channels[category] = group.create_task(self._listen(category))
        group.create_task(self._tend(feed))

    async def _tend(self, feed: Feed) -> None:
        """Runs the feed and releases it, with the channel when it was the last of its category."""
        await feed.run()
        board = feed.board
        del self._feeds[board.key]
        if self._open.get((board.category, board.window.period)) is feed:
            del self._open[board.category, board.window.period]
        if all(other.board.category != board.category for other in self._feeds.values()):
            self._channels.pop(board.category).cancel()

    async def _listen(self, category: str) -> None:
        async with self._broadcast.subscribe(boards_channel(category)) as subscriber:
            while True:
                event = await subscriber.get()
                moves = None if isinstance(event, Gap) else decode_boards(category, event.message)
                if moves is not None:
                    self.notify_changed(moves)
                    continue
                self.counters.gaps += isinstance(event, Gap)
                self.counters.unreadable += not isinstance(event, Gap)
                for feed in self._feeds.values():
                    if feed.board.category == category:
                        feed.check_version()

    def _notice(self, notice: Notice) -> None:
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


def _in_head(limit: int, offset: int) -> bool:
    return offset + limit <= TOP
