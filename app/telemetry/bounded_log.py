"""Log lines that others can cause, bounded in number."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from app.runtime import Runtime

INTERVAL = 10.0
"""Seconds of an interval."""

MAX_KEYS = 50
"""Keys that are distinguished at a time; all others together are one."""

OTHER_KEYS = "other"


@dataclass(slots=True)
class _Interval:
    """The lines of one key since `began_at`."""

    event: str
    began_at: float
    written: int = 0
    left_out: int = 0


class BoundedLog:
    """Writes a bounded number of lines per key and interval, and at its end how many were left out."""

    def __init__(
        self, log: Any, runtime: Runtime, *, interval: float = INTERVAL, max_keys: int = MAX_KEYS, max_lines: int = 1
    ) -> None:
        """Create a log.

        Args:
            log: A logger of structlog.
            runtime: The source of time.
            interval: Seconds in which a key gets at most `max_lines` lines.
            max_keys: Keys that are distinguished at a time.
            max_lines: Lines per key and interval.
        """
        self._log = log
        self._monotonic = runtime.monotonic
        self._interval = interval
        self._max_keys = max_keys
        self._max_lines = max_lines
        self._intervals: OrderedDict[str, _Interval] = OrderedDict()
        """The last interval of each key, the oldest first."""

    def info(self, event: str, *, key: str, **facts: object) -> None:
        """Log `event` with `facts` at the level INFO, unless its key has had enough lines."""
        if self.permits(event, key):
            self._log.info(event, **facts)

    def permits(self, event: str, key: str) -> bool:
        """Return whether a line of `event` may be written under `key`, and count it."""
        now = self._monotonic()
        if key not in self._intervals and not self._can_distinguish_another(now):
            key = OTHER_KEYS
        interval = self._intervals.get(key)
        if interval is None or now - interval.began_at >= self._interval:
            self._end(key)
            interval = self._intervals[key] = _Interval(event, now)
        if interval.written < self._max_lines:
            interval.written += 1
            return True
        interval.left_out += 1
        if interval.left_out == 1:
            with suppress(RuntimeError):  # Without an event loop the next line of the key ends the interval.
                loop = asyncio.get_running_loop()
                loop.call_later(self._interval, self._end_if, key, interval, context=Context())  # It is of no request.
        return False

    def _end_if(self, key: str, interval: _Interval) -> None:
        if self._intervals.get(key) is interval:
            self._end(key)

    def _end(self, key: str) -> None:
        """End the interval of a key, and log how many lines were left out."""
        interval = self._intervals.pop(key, None)
        if interval is not None and interval.left_out:
            self._log.warning("lines_left_out", of=interval.event, key=key, count=interval.left_out)

    def _can_distinguish_another(self, now: float) -> bool:
        """Return whether another key can be distinguished, after dropping keys that were not logged for an interval."""
        while len(self._intervals) >= self._max_keys:
            oldest = next(iter(self._intervals))
            if now - self._intervals[oldest].began_at < self._interval:
                return False
            self._end(oldest)
        return True
