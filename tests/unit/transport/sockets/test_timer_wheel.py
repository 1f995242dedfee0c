from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import pytest

from app.transport.sockets.timer_wheel import Deadlines

RESOLUTION = 0.02


class ManualLoop:
    """The timers of an event loop whose time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.errors: list[object] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> object:
        heapq.heappush(self._timers, (when, next(self._numbers), callback))
        return callback

    def call_exception_handler(self, context: dict[str, object]) -> None:
        self.errors.append(context["exception"])

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds, and call every timer at its time."""
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, callback = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            callback()
        self.now = end

    @property
    def timers(self) -> int:
        """How many timers run."""
        return len(self._timers)


class Sleeper:
    def __init__(self, answer: Callable[[float], float | None] = lambda now: None) -> None:
        self.slot: int | None = None
        self.woken: list[float] = []
        self._answer = answer

    def due(self, now: float) -> float | None:
        self.woken.append(now)
        return self._answer(now)


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def deadlines(loop: ManualLoop) -> Deadlines:
    return Deadlines(loop, RESOLUTION)  # type: ignore[arg-type]


def test_a_sleeper_is_woken_once_at_its_deadline_and_not_before(loop: ManualLoop, deadlines: Deadlines) -> None:
    sleepers = [Sleeper() for _ in range(50)]
    wanted = {sleeper: loop.now + 0.01 * number for number, sleeper in enumerate(sleepers)}
    for sleeper, when in wanted.items():
        deadlines.set(sleeper, when)
    loop.advance(10)
    for sleeper, when in wanted.items():
        (woken,) = sleeper.woken
        assert when <= woken <= when + 1.001 * RESOLUTION
    assert (len(deadlines), loop.timers) == (0, 0)


def test_a_deadline_that_has_passed_comes_with_the_next_tick(loop: ManualLoop, deadlines: Deadlines) -> None:
    sleeper = Sleeper()
    deadlines.set(sleeper, loop.now - 100)
    loop.advance(RESOLUTION)
    assert len(sleeper.woken) == 1


def test_a_later_arrangement_replaces_the_earlier(loop: ManualLoop, deadlines: Deadlines) -> None:
    sleeper = Sleeper()
    deadlines.set(sleeper, loop.now + 0.05)
    when = loop.now + 0.2
    deadlines.set(sleeper, when)
    deadlines.set(sleeper, when)
    assert len(deadlines) == 1
    loop.advance(10)
    (woken,) = sleeper.woken
    assert woken >= when


def test_a_sleeper_may_ask_to_be_woken_again(loop: ManualLoop, deadlines: Deadlines) -> None:
    sleeper = Sleeper(lambda now: now + 0.03 if len(sleeper.woken) < 4 else None)
    deadlines.set(sleeper, loop.now)
    loop.advance(10)
    assert len(sleeper.woken) == 4
    assert len(deadlines) == 0


def test_after_a_turn_of_the_loop_that_was_long_everybody_is_woken_who_is_due(
    loop: ManualLoop, deadlines: Deadlines
) -> None:
    due, later = [Sleeper() for _ in range(10)], Sleeper()
    for number, sleeper in enumerate(due):
        deadlines.set(sleeper, loop.now + number * RESOLUTION)
    deadlines.set(later, loop.now + 60)
    loop.now += 30
    loop.advance(0)
    assert [len(sleeper.woken) for sleeper in [*due, later]] == [1] * 10 + [0]


def test_who_is_dropped_is_not_woken_even_by_another_in_the_same_moment(loop: ManualLoop, deadlines: Deadlines) -> None:
    dropped, first = Sleeper(), Sleeper()
    when = loop.now + 0.05
    deadlines.set(dropped, when)
    deadlines.drop(dropped)
    deadlines.drop(dropped)
    deadlines.set(first, when)
    loop.advance(10)
    assert len(first.woken) == 1
    assert dropped.woken == []
    assert dropped.slot is None


def test_one_that_fails_is_reported_and_keeps_nobody_else_asleep(loop: ManualLoop, deadlines: Deadlines) -> None:
    def fail(now: float) -> float | None:
        raise ValueError

    failing, others = Sleeper(fail), [Sleeper() for _ in range(10)]
    for sleeper in [*others[:5], failing, *others[5:]]:
        deadlines.set(sleeper, loop.now + 0.02)
    loop.advance(10)
    assert [len(sleeper.woken) for sleeper in others] == [1] * 10
    assert [type(error) for error in loop.errors] == [ValueError]
    again = Sleeper()
    deadlines.set(again, loop.now)
    loop.advance(10)
    assert len(again.woken) == 1
