from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from app.transport.sockets.deadlines import Deadlines
from tests.support.waiting import until

RESOLUTION = 0.02


class Sleeper:
    def __init__(self, answer: Callable[[float], float | None] = lambda now: None) -> None:
        self.slot: int | None = None
        self.woken: list[float] = []
        self._answer = answer

    def due(self, now: float) -> float | None:
        self.woken.append(now)
        return self._answer(now)


@pytest.fixture
async def deadlines() -> Deadlines:
    return Deadlines(asyncio.get_running_loop(), RESOLUTION)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_sleeper_is_woken_once_at_its_deadline_and_not_before(deadlines: Deadlines) -> None:
    sleepers = [Sleeper() for _ in range(50)]
    wanted = {sleeper: now() + 0.01 * number for number, sleeper in enumerate(sleepers)}
    for sleeper, when in wanted.items():
        deadlines.set(sleeper, when)
    await until(lambda: len(deadlines) == 0)
    for sleeper, when in wanted.items():
        (woken,) = sleeper.woken
        assert when <= woken < when + RESOLUTION + 0.1


async def test_a_deadline_that_has_passed_comes_at_once(deadlines: Deadlines) -> None:
    sleeper = Sleeper()
    deadlines.set(sleeper, now() - 100)
    await until(lambda: len(sleeper.woken) == 1)


async def test_a_later_arrangement_replaces_the_earlier(deadlines: Deadlines) -> None:
    sleeper = Sleeper()
    deadlines.set(sleeper, now() + 0.05)
    when = now() + 0.2
    deadlines.set(sleeper, when)
    deadlines.set(sleeper, when)
    assert len(deadlines) == 1
    await until(lambda: bool(sleeper.woken))
    assert sleeper.woken[0] >= when


async def test_a_sleeper_may_ask_to_be_woken_again(deadlines: Deadlines) -> None:
    sleeper = Sleeper(lambda now: now + 0.03 if len(sleeper.woken) < 4 else None)
    deadlines.set(sleeper, now())
    await until(lambda: len(deadlines) == 0)
    assert len(sleeper.woken) == 4


async def test_who_is_dropped_is_not_woken_even_by_another_in_the_same_moment(deadlines: Deadlines) -> None:
    dropped = Sleeper()
    when = now() + 0.05
    deadlines.set(dropped, when)
    deadlines.drop(dropped)
    deadlines.drop(dropped)
    first = Sleeper()
    deadlines.set(first, when)
    await until(lambda: bool(first.woken))
    assert dropped.woken == []
    assert dropped.slot is None


async def test_one_that_fails_is_reported_and_keeps_nobody_else_asleep(deadlines: Deadlines) -> None:
    def fail(now: float) -> float | None:
        raise ValueError

    reports: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reports.append(context["exception"]))
    try:
        failing, others = Sleeper(fail), [Sleeper() for _ in range(10)]
        for sleeper in [*others[:5], failing, *others[5:]]:
            deadlines.set(sleeper, now() + 0.02)
        await until(lambda: all(sleeper.woken for sleeper in others))
    finally:
        loop.set_exception_handler(None)
    assert [type(report) for report in reports] == [ValueError]
    again = Sleeper()
    deadlines.set(again, now())
    await until(lambda: bool(again.woken))
