"""A circuit breaker, so that requests do not wait for the timeout of a store that is not reachable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from app.runtime import Runtime

log = structlog.get_logger(__name__)


class CircuitOpen(Exception):
    """The circuit is open: the last calls failed, and the store is not called now."""


class CircuitBreaker:
    """Opens after `threshold` consecutive failures, then lets one trial call pass every `retry_interval` seconds.

    Attributes:
        name: The name of the store, for logs and metrics.
        trips: How often the circuit has opened.
        on_change: Called when the circuit opens or closes.
    """

    def __init__(
        self,
        name: str,
        failures: tuple[type[Exception], ...],
        runtime: Runtime,
        *,
        threshold: int = 3,
        retry_interval: float = 0.5,
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        """Create a closed circuit breaker.

        Args:
            name: The name of the store.
            failures: The exceptions that count as failures of the store.
            runtime: The source of time.
            threshold: The number of consecutive failures that opens the circuit.
            retry_interval: Seconds between trial calls while the circuit is open.
            on_change: Is called whenever the circuit opens or closes.
        """
        self.name = name
        self.trips = 0
        self._on_change = on_change
        self._failures = failures
        self._monotonic = runtime.monotonic
        self._threshold = threshold
        self._retry_interval = retry_interval
        self._consecutive_failures = 0
        self._retry_at = 0.0
        self._cause = ""

    @property
    def is_open(self) -> bool:
        """Whether the last calls failed. A circuit with a trial call under way counts as open."""
        return self._consecutive_failures >= self._threshold

    @contextmanager
    def call(self) -> Iterator[None]:
        """Guard one call to the store; its exceptions pass through.

        Raises:
            CircuitOpen: The circuit is open, and the call must not be made.
        """
        if self.is_open:
            if self._monotonic() < self._retry_at:
                raise CircuitOpen(f"{self.name}: the last calls failed: {self._cause}")
            self._retry_at = self._monotonic() + self._retry_interval
        try:
            yield
        except self._failures as error:
            self._cause = describe(error)
            self._consecutive_failures += 1
            if self.is_open:
                self._retry_at = self._monotonic() + self._retry_interval
            if self._consecutive_failures == self._threshold:
                self.trips += 1
                log.warning("circuit_opened", store=_title(self.name), cause=self._cause)
                self._on_change()
            raise
        else:
            was_open, self._consecutive_failures = self.is_open, 0
            if was_open:
                log.warning("circuit_closed", store=_title(self.name))
                self._on_change()


def _title(name: str) -> str:
    """Return the name of a store as people search for it in logs."""
    return name.replace("postgres", "PostgreSQL").replace("redis", "Redis")


def describe(error: BaseException) -> str:
    """Return the first cause of an error on one line: its type, and its text without the statement."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
