from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import pytest

from app.transport.sockets.timer_wheel import TimerWheel

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


class Timer:
    def __init__(self, answer: Callable[[float], float | None] = lambda now: None) -> None:
        self.bucket: int | None = None
        self.woken: list[float] = []
        self._answer = answer

    def on_expiry(self, now: float) -> float | None:
        self.woken.append(now)
        return self._answer(now)


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def timer_wheel(loop: ManualLoop) -> TimerWheel:
    return TimerWheel(loop, RESOLUTION)  # type: ignore[arg-type]


def test_a_sleeper_is_woken_once_at_its_deadline_and_not_before(loop: ManualLoop, timer_wheel: TimerWheel) -> None:
    sleepers = [Timer() for _ in range(50)]
    wanted = {timer: loop.now + 0.01 * number for number, timer in enumerate(sleepers)}
    for timer, when in wanted.items():
        timer_wheel.set(timer, when)
    loop.advance(10)
    for timer, when in wanted.items():
        (woken,) = timer.woken
        assert when <= woken <= when + 1.001 * RESOLUTION
    assert (len(timer_wheel), loop.timers) == (0, 0)


def test_a_deadline_that_has_passed_comes_with_the_next_tick(loop: ManualLoop, timer_wheel: TimerWheel) -> None:
    timer = Timer()
    timer_wheel.set(timer, loop.now - 100)
    loop.advance(RESOLUTION)
    assert len(timer.woken) == 1


def test_a_later_arrangement_replaces_the_earlier(loop: ManualLoop, timer_wheel: TimerWheel) -> None:
    timer = Timer()
    timer_wheel.set(timer, loop.now + 0.05)
    when = loop.now + 0.2
    timer_wheel.set(timer, when)
    timer_wheel.set(timer, when)
    assert len(timer_wheel) == 1
    loop.advance(10)
    (woken,) = timer.woken
    assert woken >= when


def test_a_sleeper_may_ask_to_be_woken_again(loop: ManualLoop, timer_wheel: TimerWheel) -> None:
    timer = Timer(lambda now: now + 0.03 if len(timer.woken) < 4 else None)
    timer_wheel.set(timer, loop.now)
    loop.advance(10)
    assert len(timer.woken) == 4
    assert len(timer_wheel) == 0


def test_after_a_turn_of_the_loop_that_was_long_everybody_is_woken_who_is_due(
    loop: ManualLoop, timer_wheel: TimerWheel
) -> None:
    on_expiry, later = [Timer() for _ in range(10)], Timer()
    for number, timer in enumerate(on_expiry):
        timer_wheel.set(timer, loop.now + number * RESOLUTION)
    timer_wheel.set(later, loop.now + 60)
    loop.now += 30
    loop.advance(0)
    assert [len(timer.woken) for timer in [*on_expiry, later]] == [1] * 10 + [0]


def test_who_is_dropped_is_not_woken_even_by_another_in_the_same_moment(
    loop: ManualLoop, timer_wheel: TimerWheel
) -> None:
    dropped, first = Timer(), Timer()
    when = loop.now + 0.05
    timer_wheel.set(dropped, when)
    timer_wheel.cancel(dropped)
    timer_wheel.cancel(dropped)
    timer_wheel.set(first, when)
    loop.advance(10)
    assert len(first.woken) == 1
    assert dropped.woken == []
    assert dropped.bucket is None


def test_one_that_fails_is_reported_and_keeps_nobody_else_asleep(loop: ManualLoop, timer_wheel: TimerWheel) -> None:
    def fail(now: float) -> float | None:
        raise ValueError

    failing, others = Timer(fail), [Timer() for _ in range(10)]
    for timer in [*others[:5], failing, *others[5:]]:
        timer_wheel.set(timer, loop.now + 0.02)
    loop.advance(10)
    assert [len(timer.woken) for timer in others] == [1] * 10
    assert [type(error) for error in loop.errors] == [ValueError]
    renew = Timer()
    timer_wheel.set(renew, loop.now)
    loop.advance(10)
    assert len(renew.woken) == 1
