"""The circuit breaker, with a clock that is an argument."""

import pytest
from structlog.testing import capture_logs

from app.stores.circuit_breaker import CircuitBreaker, CircuitOpen
from tests.support.runtime import runtime_for


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(OSError, match="away"), breaker.call():
        raise OSError("away")


def test_a_store_that_fails_again_and_again_is_left_alone_for_a_while():
    clock = Clock()
    breaker = CircuitBreaker("store", (OSError,), runtime_for(monotonic=clock), threshold=3, retry_interval=1.0)
    for _ in range(3):
        fail(breaker)
    assert breaker.is_open
    with pytest.raises(CircuitOpen), breaker.call():
        pytest.fail("it was called")


def test_after_the_pause_one_call_tries_and_closes_it_again():
    clock = Clock()
    breaker = CircuitBreaker("store", (OSError,), runtime_for(monotonic=clock), threshold=1, retry_interval=1.0)
    fail(breaker)
    clock.now += 1.0
    with breaker.call(), pytest.raises(CircuitOpen), breaker.call():
        pytest.fail("a second trial ran beside the first")
    assert not breaker.is_open


def test_a_trial_that_fails_starts_the_pause_anew():
    clock = Clock()
    breaker = CircuitBreaker("store", (OSError,), runtime_for(monotonic=clock), threshold=1, retry_interval=1.0)
    fail(breaker)
    clock.now += 1.0
    fail(breaker)
    with pytest.raises(CircuitOpen), breaker.call():
        pytest.fail("it was called")


def test_other_exceptions_are_no_failures_of_the_store():
    breaker = CircuitBreaker("store", (OSError,), runtime_for(monotonic=Clock()), threshold=1)
    with pytest.raises(ValueError, match="mine"), breaker.call():
        raise ValueError("mine")
    assert not breaker.is_open


def test_the_log_names_the_store_and_the_cause_when_the_circuit_opens_and_closes():
    clock = Clock()
    breaker = CircuitBreaker("postgres", (OSError,), runtime_for(monotonic=clock), threshold=2, retry_interval=1.0)
    with capture_logs() as lines:
        for _ in range(2):
            fail(breaker)
        clock.now += 1.0
        with breaker.call():
            pass
    assert [(line["event"], line["store"], line.get("cause")) for line in lines] == [
        ("circuit_opened", "PostgreSQL", "OSError: away"),
        ("circuit_closed", "PostgreSQL", None),
    ]
