"""Group commit: what arrives while a batch is under way forms the next one.

There is no waiting for a batch to fill: an idle queue starts at the next turn of the loop, with all that came in this
one; a busy queue grows its batches by itself. So the cost of a round trip is shared exactly when there is something to
share it with.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False, slots=True)
class _Waiting(Generic[T, R]):
    item: T
    key: Hashable
    future: asyncio.Future[R]


class GroupCommit(Generic[T, R]):
    """Runs items in batches through `run`, each batch as a whole.

    Guarantees: every caller gets the result or the exception of its own item; items with the same key are never in
    two batches at once, nor twice in one, and run in the order they came; a caller that is cancelled neither stops
    its batch nor takes others with it. When `run` itself raises, every item of that batch gets the exception.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        size: int,
        lanes: int,
        worth: Callable[[], int] = lambda: 1,
        key: Callable[[T], Hashable] = id,
    ) -> None:
        """`size`: the most items in a batch. `lanes`: the most batches at once. `key`: whom an item concerns.

        `worth()`: how many items must wait before a batch is begun beside another one. Fewer do better to wait for
        that, and share the cost of the next.
        """
        self._run = run
        self._size = size
        self._lanes = lanes
        self._worth = worth
        self._key = key
        self._queue: deque[_Waiting[T, R]] = deque()
        self._busy: set[Hashable] = set()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def depth(self) -> int:
        """How many items wait for a lane."""
        return len(self._queue)

    async def submit(self, item: T) -> R:
        """The result of `item`, when its batch has run."""
        return await self.enqueue(item)

    def enqueue(self, item: T) -> asyncio.Future[R]:
        """As `submit`, for whoever wants to wait later, or not at all: `item` runs in any case."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._queue.append(_Waiting(item, self._key(item), future))
        if len(self._queue) in (1, self._worth()):
            loop.call_soon(self._start)
        return future

    async def drain(self) -> None:
        """Return when everything that was submitted has run."""
        while self._running or self._queue:
            await (asyncio.wait(self._running) if self._running else asyncio.sleep(0))

    def _start(self) -> None:
        while self._may_start() and (batch := self._next_batch()):
            task = asyncio.create_task(self._process(batch))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _may_start(self) -> bool:
        running = len(self._running)
        return running == 0 or (running < self._lanes and len(self._queue) >= self._worth())

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    def _next_batch(self) -> list[_Waiting[T, R]]:
        batch: list[_Waiting[T, R]] = []
        held: list[_Waiting[T, R]] = []
        while self._queue and len(batch) < self._size:
            waiting = self._queue.popleft()
            if waiting.key in self._busy:
                held.append(waiting)
            else:
                self._busy.add(waiting.key)
                batch.append(waiting)
        self._queue.extendleft(reversed(held))
        return batch

    async def _process(self, batch: list[_Waiting[T, R]]) -> None:
        try:
            results = await self._run([waiting.item for waiting in batch])
            for waiting, result in zip(batch, results, strict=True):
                _settle(waiting.future, result)
        except Exception as error:
            for waiting in batch:
                _settle(waiting.future, error)
        finally:
            self._busy.difference_update(waiting.key for waiting in batch)


def _settle(future: asyncio.Future[R], result: R | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # The caller may be gone: an exception that nobody awaits is not worth a warning.
    else:
        future.set_result(result)
