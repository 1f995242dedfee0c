"""An event loop whose time passes when nothing is left to do, and whose order of callbacks a seed decides."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

MAX_TURNS = 200_000
"""Turns of the loop after which a simulation counts as one that does not end."""


class NothingLeftToDo(Exception):
    """No callback is ready and no timer is set: whoever waits, waits for ever."""


class _TimeSelector(selectors.BaseSelector):
    """Instead of waiting for input, of which there is none, it lets the time pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._keys[fileobj] = key = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> dict[Any, selectors.SelectorKey]:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingLeftToDo
        # A turn takes time: whoever sets a timer of less than the resolution of the clock must not turn on the spot.
        self.now += max(0.0, timeout) + 2e-9
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop in simulated time.

    Callbacks that are ready in the same turn run in the order of a seeded shuffle. The standard library keeps the order
    in which they became ready; which of several answers of stores and timers is first, nobody can tell.
    """

    def __init__(self, random: Random) -> None:
        self._time = _TimeSelector()
        self._random = random
        self._turns = 0
        self._numbers = 0
        super().__init__(self._time)
        self._clock_resolution = 1e-9
        self.set_task_factory(self._numbered)

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self._time.now

    def _numbered(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        self._numbers += 1
        task = asyncio.Task(coroutine, loop=loop, **more)
        task.set_name(f"{self._numbers:06}")
        return task

    def _run_once(self) -> None:
        self._turns += 1
        if self._turns > MAX_TURNS:
            self._turns = 0  # The clean-up runs on this loop, too.
            raise NothingLeftToDo("the simulation does not end")
        ready = self._ready  # type: ignore[attr-defined]
        if len(ready) > 1:
            # First an order that does not depend on the addresses of objects: tasks were woken by iterating over sets.
            handles = sorted(ready, key=_task_name)
            self._random.shuffle(handles)
            ready.clear()
            ready.extend(handles)
        super()._run_once()  # type: ignore[misc]


def _task_name(handle: asyncio.Handle) -> str:
    task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
    return task.get_name() if isinstance(task, asyncio.Task) else ""


def simulate(main: Callable[[], Coroutine[Any, Any, T]], random: Random) -> T:
    """Run a coroutine to its end in simulated time."""
    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(random)) as runner:
        return runner.run(main())


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """Await something that must happen within so many simulated seconds."""
    async with asyncio.timeout(seconds):
        return await awaitable
