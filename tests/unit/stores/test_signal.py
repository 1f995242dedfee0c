"""A signal connects objects that are created one after the other."""

from __future__ import annotations

from app.stores.circuit_breaker import CircuitBreaker
from app.stores.signal import Signal
from tests.support.runtime import runtime_for


def test_every_listener_is_called_each_time_in_the_order_of_connection():
    signal, calls = Signal(), []
    signal.connect(lambda: calls.append("first"))
    signal.connect(lambda: calls.append("second"))
    signal()
    signal()
    assert calls == ["first", "second"] * 2


def test_a_circuit_breaker_signals_that_it_opens_and_that_it_closes():
    signal, states = Signal(), []
    breaker = CircuitBreaker(
        "store", (OSError,), runtime_for(monotonic=lambda: 0.0), threshold=1, retry_interval=0, on_change=signal
    )
    signal.connect(lambda: states.append(breaker.is_open))
    try:
        with breaker.call():
            raise OSError
    except OSError:
        pass
    with breaker.call():
        pass
    assert states == [True, False]
