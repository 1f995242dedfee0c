from __future__ import annotations

import asyncio

from app.transport.multiplexing.write_scheduler import WriteScheduler
from tests.support.wait_until import until


class Writes:
    """A source with a number of writes to do, which notes the turn of the loop each was done in."""

    def __init__(self, turns: list[int], name: str, number: int) -> None:
        self.done: list[int] = []
        self._turns = turns
        self._name = name
        self._left = number
        self.asked = 0

    def write_up_to(self, budget: int) -> int:
        self.asked += 1
        number = min(budget, self._left)
        self._left -= number
        self.done += [len(self._turns)] * number
        return number


async def _counting_turns(turns: list[int]) -> None:
    while True:
        turns.append(1)
        await asyncio.sleep(0)


async def test_a_turn_of_the_loop_does_one_budget_of_writes_for_all_sources_together() -> None:
    turns: list[int] = []
    write_scheduler = WriteScheduler(asyncio.get_running_loop(), budget=10)
    sources = [Writes(turns, "large", 95), Writes(turns, "small", 3), Writes(turns, "none", 0)]
    counting = asyncio.create_task(_counting_turns(turns))
    for source in sources:
        write_scheduler.schedule(source)
    await until(lambda: len(sources[0].done) == 95)
    counting.cancel()
    everything = [turn for source in sources for turn in source.done]
    assert max(everything.count(turn) for turn in everything) <= 10
    assert len(set(everything)) >= 10


async def test_a_small_source_does_not_wait_for_a_large_one() -> None:
    turns: list[int] = []
    write_scheduler = WriteScheduler(asyncio.get_running_loop(), budget=10)
    large, small = Writes(turns, "large", 1000), Writes(turns, "small", 5)
    counting = asyncio.create_task(_counting_turns(turns))
    write_scheduler.schedule(large)
    write_scheduler.schedule(small)
    await until(lambda: len(large.done) == 1000)
    counting.cancel()
    assert small.done[-1] < large.done[30]


async def test_scheduling_twice_is_scheduling_once() -> None:
    turns: list[int] = []
    write_scheduler = WriteScheduler(asyncio.get_running_loop(), budget=10)
    twice, other = Writes(turns, "twice", 5), Writes(turns, "other", 15)
    write_scheduler.schedule(twice)
    write_scheduler.schedule(twice)
    write_scheduler.schedule(other)
    await until(lambda: len(other.done) == 15)
    assert (twice.asked, len(twice.done)) == (1, 5)


async def test_a_source_that_fails_does_not_stop_the_others() -> None:
    class Failing(Writes):
        def write_up_to(self, budget: int) -> int:
            raise ValueError

    reports: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reports.append(context["exception"]))
    try:
        write_scheduler, turns = WriteScheduler(loop, budget=10), list[int]()
        write_scheduler.schedule(Failing(turns, "failing", 5))
        source = Writes(turns, "source", 25)
        write_scheduler.schedule(source)
        await until(lambda: len(source.done) == 25)
    finally:
        loop.set_exception_handler(None)
    assert [type(report) for report in reports] == [ValueError]
