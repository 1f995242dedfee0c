"""Batching: what arrives while a batch is under way forms the next one.

No batch waits to be filled: an idle queue starts at the next turn of the event loop with all items of this turn, and
the batches of a busy queue grow by themselves. The cost of a round trip is shared exactly when there is load.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Generic, TypeVar

from app.domain.errors import ServiceUnavailable
from app.telemetry.metrics.histogram import Histogram
from app.telemetry.requests import leave_request
from app.telemetry.tracing import Link, batch_span, current_link

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False, slots=True)
class _QueuedItem(Generic[T, R]):
    item: T
    key: Hashable | None
    future: asyncio.Future[R]
    queued_at: float
    link: Link | None
    """The span that waits for it."""


class Batcher(Generic[T, R]):
    """Runs items in batches.

    Guarantees: every caller gets the result or the exception of its own item; items with the same key are never in
    two batches at once, nor twice in one, and run in the order in which they came; a caller that is cancelled neither
    stops its batch nor affects others in it.

    When `run` raises ServiceUnavailable, every item of the batch gets it: the store cannot be used, and asking again
    for each item would only add load. When `run` raises anything else, an item of the batch is the cause: both halves
    run again, one after the other, and so on until the items that fail are alone and get their own exception. `n`
    items of which one fails take about `2 * log2(n)` more calls of `run`. So `run` must have changed nothing when it
    raises, or must be safe to repeat.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Awaitable[Sequence[R | asyncio.Future[Any] | Exception]]],
        *,
        max_batch_size: int,
        max_concurrent: int,
        key: Callable[[T], Hashable] | None,
        min_second_batch: Callable[[], int] = lambda: 1,
        max_queued: int | None = None,
        name: str = "batch",
        waits: Histogram | None = None,
    ) -> None:
        """Create an idle batcher.

        Args:
            run: Returns for each item its result, its exception, or a future of its result: the batch is over without
                waiting for that future.
            max_batch_size: How many items a batch may have.
            max_concurrent: How many batches may run at once.
            key: What an item concerns; items with equal keys exclude each other. None: no item excludes another.
            min_second_batch: How many items must be ready before a batch starts beside another one. Fewer wait until
                that one ends, and share the cost of the next.
            max_queued: How many items may wait for their batches; further ones get ServiceUnavailable. None: the
                callers bound it.
            name: The name of the spans of batches. Each is a trace of its own, with links to those that wait for it.
            waits: Observes for how many seconds each item waits until its batch starts.
        """
        self._run = run
        self._name = name
        self._max_batch_size = max_batch_size
        self._max_concurrent = max_concurrent
        self._key = key
        self._min_second_batch = min_second_batch
        self._max_queued = max_queued
        self._queued = 0
        self._waits = waits
        self._ready: deque[_QueuedItem[T, R]] = deque()
        # A key is in here while an item with it is ready or running, with the items that wait for that one.
        self._held: dict[Hashable, deque[_QueuedItem[T, R]]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, item: T) -> R:
        """Return the result of `item` when its batch has run."""
        return await self.enqueue(item)

    def enqueue(self, item: T) -> asyncio.Future[R]:
        """Return the future result of `item`, which runs even if nobody awaits it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        if self._max_queued is not None and self._queued >= self._max_queued:
            future.set_exception(ServiceUnavailable())
            return future
        self._queued += 1
        key = None if self._key is None else self._key(item)
        queued = _QueuedItem(item, key, future, loop.time(), current_link())
        if key is not None:
            held = self._held.get(key)
            if held is not None:
                held.append(queued)
                return future
            self._held[key] = deque()
        self._ready.append(queued)
        ready = len(self._ready)
        if ready == 1 or ready == self._min_second_batch():
            loop.call_soon(self._start)
        return future

    async def drain(self) -> None:
        """Return when everything that was submitted has run."""
        while self._running or self._ready:
            await (asyncio.wait(self._running) if self._running else asyncio.sleep(0))

    def _start(self) -> None:
        while self._ready:
            running = len(self._running)
            if running and (running >= self._max_concurrent or len(self._ready) < self._min_second_batch()):
                return
            batch = [self._ready.popleft() for _ in range(min(self._max_batch_size, len(self._ready)))]
            self._queued -= len(batch)
            task = asyncio.create_task(self._process(batch))
            self._running.add(task)
            task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._ready:
            self._start()

    async def _process(self, batch: list[_QueuedItem[T, R]]) -> None:
        leave_request()
        with batch_span(self._name, (queued.link for queued in batch), {"leaderboard.batch.size": len(batch)}):
            await self._run_parts(batch)

    async def _run_parts(self, batch: list[_QueuedItem[T, R]]) -> None:
        """Run the batch as a whole, and where that fails because of an item, its halves."""
        if self._waits is not None:
            now = asyncio.get_running_loop().time()
            for queued in batch:
                self._waits.observe(now - queued.queued_at)
        parts = [batch]
        try:
            while parts:
                part = parts.pop()
                try:
                    results = await self._run([queued.item for queued in part])
                    for queued, result in zip(part, results, strict=True):
                        _settle(queued.future, result)
                except ServiceUnavailable as error:
                    for queued in chain(part, *parts):
                        _settle(queued.future, error)
                    return
                except Exception as error:
                    if len(part) == 1:
                        _settle(part[0].future, error)
                    else:
                        middle = len(part) // 2
                        parts += (part[middle:], part[:middle])
        finally:
            for queued in batch:
                if queued.key is not None:
                    self._release(queued.key)

    def _release(self, key: Hashable) -> None:
        """Make the next item with this key ready, behind all that are: many items of one key delay no others."""
        held = self._held[key]
        if held:
            self._ready.append(held.popleft())
        else:
            del self._held[key]


def _settle(future: asyncio.Future[R], result: R | asyncio.Future[Any] | Exception) -> None:
    if future.done():
        return
    if isinstance(result, asyncio.Future):
        result.add_done_callback(partial(_copy, future))
    elif isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # The caller may be gone: an exception that nobody awaits is not worth a warning.
    else:
        future.set_result(result)


def _copy(future: asyncio.Future[Any], source: asyncio.Future[Any]) -> None:
    if source.cancelled():
        future.cancel()
    else:
        _settle(future, source.exception() or source.result())
