"""A circuit breaker: a store that is down must not hold every request until its timeout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CircuitOpen(Exception):
    """The circuit is open: the store failed a moment ago and is not asked now."""


class CircuitBreaker:
    """Opens after `threshold` failures in a row, and lets one call try again every `pause` seconds."""

    def __init__(
        self,
        name: str,
        failures: tuple[type[Exception], ...],
        monotonic: Callable[[], float],
        *,
        threshold: int = 3,
        pause: float = 0.5,
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        """Close the circuit; `on_change` is called whenever it opens or closes."""
        self.name = name
        self.trips = 0
        self._on_change = on_change
        self._failures = failures
        self._monotonic = monotonic
        self._threshold = threshold
        self._pause = pause
        self._in_a_row = 0
        self._retry_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last calls failed. Half-open, with a trial under way, counts as open."""
        return self._in_a_row >= self._threshold

    @contextmanager
    def call(self) -> Iterator[None]:
        """Guard one call. Raises Open without trying while the circuit is open; exceptions pass through."""
        if self.is_open:
            if self._monotonic() < self._retry_at:
                raise CircuitOpen(self.name)
            self._retry_at = self._monotonic() + self._pause
        try:
            yield
        except self._failures:
            self._in_a_row += 1
            if self.is_open:
                self._retry_at = self._monotonic() + self._pause
            if self._in_a_row == self._threshold:
                self.trips += 1
                self._on_change()
            raise
        else:
            was_open, self._in_a_row = self.is_open, 0
            if was_open:
                self._on_change()
