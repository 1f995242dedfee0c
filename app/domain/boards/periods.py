"""Periods and their windows.

A window is one instance of a period: half-open, `[starts_at, ends_at)`, in UTC. The instant of a boundary belongs to
the new window. Nothing is ever reset: a new window starts empty, an old one stays as it was.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Period(StrEnum):
    """The length of a window."""

    ALL_TIME = "ALL_TIME"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


CLOSING_DELAY = timedelta(seconds=30)
"""How long after its end a window is closed, so that transactions that began before are committed or aborted.

What was committed before an instant of that age does not change any more."""

ALL_TIME_START = date(1970, 1, 1)
"""The `start` of the ALL_TIME window, because a primary key must not be null."""


class Window(NamedTuple):
    """One interval of a period. `start` is the UTC day on which it begins."""

    period: Period
    start: date

    @property
    def starts_at(self) -> datetime | None:
        """The first instant of the window; None for ALL_TIME."""
        return None if self.period is Period.ALL_TIME else _midnight(self.start)

    @property
    def ends_at(self) -> datetime | None:
        """The first instant after the window; None for ALL_TIME."""
        match self.period:
            case Period.ALL_TIME:
                return None
            case Period.DAILY:
                return _midnight(self.start + timedelta(days=1))
            case Period.WEEKLY:
                return _midnight(self.start + timedelta(days=7))
            case Period.MONTHLY:
                return _midnight((self.start + timedelta(days=31)).replace(day=1))

    def is_closed(self, now: datetime) -> bool:
        """Whether the window is over, so that its ranks are frozen."""
        return self.ends_at is not None and now >= self.ends_at

    @property
    def next(self) -> Window:
        """The following window; for ALL_TIME the window itself."""
        return self if self.ends_at is None else window_of(self.period, self.ends_at)

    @property
    def key(self) -> str:
        """The name of the window: `DAILY:2026-11-20`, or `ALL_TIME`."""
        return self.period.value if self.period is Period.ALL_TIME else f"{self.period.value}:{self.start}"


ALL_TIME = Window(Period.ALL_TIME, ALL_TIME_START)
"""The window that never closes."""


def window_of(period: Period, instant: datetime) -> Window:
    """Return the window of `period` that contains `instant`, an aware datetime in any zone. Weeks start on Monday."""
    if period is Period.ALL_TIME:
        return ALL_TIME
    day = instant.astimezone(UTC).date()
    match period:
        case Period.DAILY:
            return Window(period, day)
        case Period.WEEKLY:
            return Window(period, day - timedelta(days=day.weekday()))
        case Period.MONTHLY:
            return Window(period, day.replace(day=1))


def parse_window(key: str) -> Window:
    """Parse a `Window.key`. Raises ValueError for anything else."""
    period, _, start = key.partition(":")
    window = Window(Period(period), date.fromisoformat(start) if start else ALL_TIME_START)
    if window.key != key or window_of(window.period, _midnight(window.start)) != window:
        raise ValueError(f"the key of a window must look like DAILY:2026-11-20, not {key!r}")
    return window


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
