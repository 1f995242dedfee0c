"""Log lines that others can cause, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from app.runtime import Runtime

INTERVAL = 10.0
"""Seconds in which a key is logged once."""

MAX_KEYS = 50
"""Keys that are distinguished at a time; all others together are one."""

OTHER_KEYS = "other"


class BoundedLog:
    """Writes at most one line per key and interval; the next line of the key says how many were left out."""

    def __init__(self, log: Any, runtime: Runtime, *, interval: float = INTERVAL, max_keys: int = MAX_KEYS) -> None:
        """Create a log.

        Args:
            log: A logger of structlog.
            runtime: The source of time.
            interval: Seconds in which a key is logged once.
            max_keys: Keys that are distinguished at a time.
        """
        self._log = log
        self._monotonic = runtime.monotonic
        self._interval = interval
        self._max_keys = max_keys
        self._lines: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """When each key was logged last, the oldest first, and how many lines were left out since."""

    def info(self, event: str, *, key: str, **facts: object) -> None:
        """Log `event` with `facts`, unless a line with the same key was logged during the interval."""
        now = self._monotonic()
        if key not in self._lines and not self._can_distinguish_another(now):
            key = OTHER_KEYS
        logged_at, left_out = self._lines.get(key, (None, 0))
        if logged_at is not None and now - logged_at < self._interval:
            self._lines[key] = (logged_at, left_out + 1)
            return
        self._lines.pop(key, None)
        self._lines[key] = (now, 0)
        self._log.info(event, **facts, **({"left_out": left_out} if left_out else {}))

    def _can_distinguish_another(self, now: float) -> bool:
        """Return whether another key can be distinguished, after dropping keys that were not logged for an interval."""
        while len(self._lines) >= self._max_keys:
            oldest = next(iter(self._lines))
            if now - self._lines[oldest][0] < self._interval:
                return False
            del self._lines[oldest]
        return True
