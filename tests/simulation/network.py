"""The network between a process and a store, in simulated time: delays, lost requests and lost answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Unreachable(Exception):
    """The caller got no answer in time. What it asked for may have been done, or may be done later."""


class Network:
    """Carries calls to one store. `trouble` is the probability that a call goes wrong, `up` whether any arrives."""

    def __init__(self, random: Random, *, timeout: float) -> None:
        self.trouble = 0.0
        self.up = True
        self._random = random
        self._timeout = timeout
        self._late: set[asyncio.Task[object]] = set()

    async def call(self, execute: Callable[[], Awaitable[T]]) -> T:
        """Return what the store answers.

        Raises:
            Unreachable: There was no answer. Whether the store has executed the call, now or later, is left open.
            Exception: What `execute` raises.
        """
        random = self._random
        if not self.up:
            await self._travel()
            raise Unreachable
        if random.random() >= self.trouble:
            await self._travel()
            execution = asyncio.ensure_future(execute())
            done, _ = await asyncio.wait([execution], timeout=self._timeout)
            if done:
                await self._travel()
                return execution.result()
            self.leave(execution)
            raise Unreachable
        match random.choice(("refused", "request lost", "answer lost", "late")):
            case "refused":
                await self._travel()
            case "request lost":
                await asyncio.sleep(self._timeout)
            case "answer lost":
                await self._travel()
                self.leave(execute())
                await asyncio.sleep(random.choice((0.0, self._timeout)))
            case "late":
                self.leave(self._execute_late(execute))
                await asyncio.sleep(self._timeout)
        raise Unreachable

    async def settled(self) -> None:
        """Return when the store has executed what it was late with."""
        while self._late:
            await asyncio.wait(self._late)

    async def _execute_late(self, execute: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(self._random.uniform(0, 3 * self._timeout))
        return await execute()

    def has_trouble(self, share: float) -> bool:
        """Return whether something happens whose probability is this share of `trouble`."""
        return self._random.random() < self.trouble * share

    def leave(self, execution: Awaitable[object]) -> None:
        """Let something go on at the store for which no caller waits."""
        task = asyncio.ensure_future(execution)
        assert isinstance(task, asyncio.Task)
        self._late.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, execution: asyncio.Task[object]) -> None:
        self._late.discard(execution)
        if not execution.cancelled():
            execution.exception()  # Nobody is told.

    async def _travel(self) -> None:
        await asyncio.sleep(self._random.choice((0.0, 0.0005, 0.002, 0.01, 0.05)))
