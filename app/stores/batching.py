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
from itertools import chain
from typing import Generic, TypeVar

from app.domain.errors import ServiceUnavailable

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False, slots=True)
class _Waiting(Generic[T, R]):
    item: T
    key: Hashable | None
    future: asyncio.Future[R]


class Batcher(Generic[T, R]):
    """Runs items in batches through `run`.

    Guarantees: every caller gets the result or the exception of its own item; items with the same key are never in
    two batches at once, nor twice in one, and run in the order they came; a caller that is cancelled neither stops
    its batch nor takes others with it.

    When `run` raises ServiceUnavailable, every item of the batch gets it: the store cannot be used, and asking again
    for each item would only add load. When `run` raises anything else, some item of the batch is to blame: both
    halves run again, one after the other, and so on until the items that fail stand alone and get their own
    exception. `n` items of which one fails take about `2 * log2(n)` more calls of `run`. So `run` must have changed
    nothing when it raises, or must be safe to repeat.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        size: int,
        max_concurrent: int,
        key: Callable[[T], Hashable] | None,
        min_second_batch: Callable[[], int] = lambda: 1,
    ) -> None:
        """
        Args:
            run: gives one result, or one exception, per item.
            size: the most items in a batch.
            lanes: the most batches at once.
            key: what an item concerns; items with equal keys exclude each other. None: no item excludes another.
            worth: how many items must be ready before a batch is begun beside another one. Fewer do better to wait
                for that, and share the cost of the next.
        """
        self._run = run
        self._size = size
        self._max_concurrent = max_concurrent
        self._key = key
        self._min_second_batch = min_second_batch
        self._ready: deque[_Waiting[T, R]] = deque()
        # A key is in here while an item with it is ready or running, with the items that wait for that one.
        self._held: dict[Hashable, deque[_Waiting[T, R]]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, item: T) -> R:
        """The result of `item`, when its batch has run."""
        return await self.enqueue(item)

    def enqueue(self, item: T) -> asyncio.Future[R]:
        """As `submit`, for whoever wants to wait later, or not at all: `item` runs in any case."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        key = None if self._key is None else self._key(item)
        waiting = _Waiting(item, key, future)
        if key is not None:
            held = self._held.get(key)
            if held is not None:
                held.append(waiting)
                return future
            self._held[key] = deque()
        self._ready.append(waiting)
        if len(self._ready) in (1, self._min_second_batch()):
            loop.call_soon(self._start)
        return future

    async def drain(self) -> None:
        """Return when everything that was submitted has run."""
        while self._running or self._ready:
            await (asyncio.wait(self._running) if self._running else asyncio.sleep(0))

    def _start(self) -> None:
        while self._ready and self._may_start():
            batch = [self._ready.popleft() for _ in range(min(self._size, len(self._ready)))]
            task = asyncio.create_task(self._process(batch))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _may_start(self) -> bool:
        running = len(self._running)
        return running == 0 or (running < self._max_concurrent and len(self._ready) >= self._min_second_batch())

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _process(self, batch: list[_Waiting[T, R]]) -> None:
        try:
            await self._run_in_parts(batch)
        finally:
            for waiting in batch:
                self._release(waiting.key)

    async def _run_in_parts(self, batch: list[_Waiting[T, R]]) -> None:
        """Run the batch as a whole, and where that fails because of an item, its halves."""
        parts = [batch]
        while parts:
            part = parts.pop()
            try:
                results = await self._run([waiting.item for waiting in part])
                for waiting, result in zip(part, results, strict=True):
                    _settle(waiting.future, result)
            except ServiceUnavailable as error:
                for waiting in chain(part, *parts):
                    _settle(waiting.future, error)
                return
            except Exception as error:
                if len(part) == 1:
                    _settle(part[0].future, error)
                else:
                    middle = len(part) // 2
                    parts += (part[middle:], part[:middle])

    def _release(self, key: Hashable | None) -> None:
        """Let the next item with this key run, behind the items that are ready: nobody's many keep others waiting."""
        if key is None:
            return
        held = self._held[key]
        if held:
            self._ready.append(held.popleft())
        else:
            del self._held[key]


def _settle(future: asyncio.Future[R], result: R | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # The caller may be gone: an exception that nobody awaits is not worth a warning.
    else:
        future.set_result(result)
