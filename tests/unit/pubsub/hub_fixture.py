"""A hub with everything around it in memory, and watchers to look at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from broadcaster import Broadcast, BroadcastBackend, Event

from app.domain.boards.board import Board, BoardUpdate, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import DomainError
from app.domain.instants import to_micros
from app.pubsub.channels.channel_connection import Gap
from app.pubsub.channels.events import BoardMoved, Notice, boards_channel, encode_notice
from app.pubsub.channels.notices import Notices
from app.pubsub.feed.timing import FeedTiming
from app.pubsub.feed.view_budget import ViewLimits
from app.pubsub.hub import Hub
from tests.support.boards.in_memory_boards import MemoryBoards
from tests.unit.pubsub.manual_clock import ManualClock, settle

U = TypeVar("U")

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class InMemoryBackend(BroadcastBackend):
    """Channels within the process; a test can lose what is on them."""

    def __init__(self) -> None:
        self.channels: set[str] = set()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._held: list[Event] | None = None

    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...

    async def subscribe(self, group: str) -> None:
        self.channels.add(group)
        self.lose(group)

    async def unsubscribe(self, group: str) -> None:
        self.channels.discard(group)

    async def publish(self, channel: str, message: Any) -> None:
        event = Event(channel, message)
        if self._held is None:
            self._events.put_nowait(event)
        else:
            self._held.append(event)

    def hold(self) -> None:
        """Keep back what is published, until `release`."""
        self._held = []

    def release(self) -> list[Event]:
        """Let messages pass again; what was kept back is for the caller to publish."""
        held, self._held = self._held or [], None
        return held

    async def next_published(self) -> Event:
        return await self._events.get()

    def lose(self, channel: str) -> None:
        self._events.put_nowait(Gap(channel))


class Watcher(Generic[U]):
    """Takes what an iterator gives as soon as it is there, unless told to wait."""

    def __init__(self, updates: AsyncGenerator[U, None]) -> None:
        self.seen: list[U] = []
        self.failure: DomainError | None = None
        self.ready = asyncio.Event()
        self.ready.set()
        self._updates = updates
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            async for update in self._updates:
                self.seen.append(update)
                await self.ready.wait()
        except DomainError as error:
            self.failure = error

    @property
    def ended(self) -> bool:
        return self._task.done()

    @property
    def last(self) -> U:
        return self.seen[-1]

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._updates.aclose()


class HubFixture:
    """Everything that a test of the hub touches."""

    def __init__(self, timing: FeedTiming, start: datetime, view_limits: ViewLimits | None = None) -> None:
        self.clock = ManualClock(start)
        self.boards = MemoryBoards(self.clock)
        self.backend = InMemoryBackend()
        self.broadcast = Broadcast(backend=self.backend)
        self.notices = Notices(self.broadcast)
        self.hub = Hub(
            self.boards, self.broadcast, self.notices, clock=self.clock, timing=timing, view_limits=view_limits
        )
        self._watchers: list[Watcher[Any]] = []

    @property
    def board(self) -> Board:
        return self.board_of(Period.ALL_TIME)

    def board_of(self, period: Period, category: str = "global") -> Board:
        return board_of(category, period, self.clock.now())

    async def score(self, user: int, score: int, *, board: Board | None = None, announce: bool = True) -> BoardMoved:
        """Another process sets a score and says so."""
        moved = self.boards.put(board or self.board, user, score)
        if announce:
            await self.announce(moved)
        return moved

    async def announce(self, moved: BoardMoved) -> None:
        category, window = moved.board.split("/")
        version = f'"{window}",{moved.version.number},{str(moved.top_moved).lower()},"{moved.version.epoch}"'
        time = to_micros(self.clock.now())
        await self.broadcast.publish(boards_channel(category), f'{{"boards":[[{version},"{time}"]]}}')

    async def notice(self, notice: Notice) -> None:
        await self.broadcast.publish("notices", encode_notice(notice))
        await settle()

    def show(self, updates: AsyncGenerator[U, None]) -> Watcher[U]:
        watcher = Watcher(updates)
        self._watchers.append(watcher)
        return watcher

    async def watch(self, limit: int = 10, period: Period = Period.ALL_TIME) -> Watcher[BoardUpdate]:
        watcher = self.show(self.hub.watch("global", period, Slice(0, limit)))
        await settle()
        return watcher

    def run(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._running = [group.create_task(self.notices.run()), group.create_task(self.hub.run())]

    async def rerun(self) -> None:
        """Stops the hub and runs it again."""
        self.stop()
        await settle()
        self.run(self._group)
        await settle()

    def stop(self) -> None:
        for task in self._running:
            task.cancel()

    async def clear(self) -> None:
        for watcher in self._watchers:
            await watcher.leave()


@asynccontextmanager
async def running_hub(
    timing: FeedTiming | None = None, start: datetime = NOON, view_limits: ViewLimits | None = None
) -> AsyncIterator[HubFixture]:
    """A stage whose hub runs until the end of the block."""
    hub_fixture = HubFixture(timing or FeedTiming(), start, view_limits)
    async with hub_fixture.broadcast, asyncio.TaskGroup() as group:
        hub_fixture.run(group)
        await settle()
        try:
            yield hub_fixture
        finally:
            await hub_fixture.clear()
            hub_fixture.stop()
