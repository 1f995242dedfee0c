"""Histories of the score and rank of a user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from app.domain.errors import BadUserInput
from app.domain.instants import EPOCH

MAX_POINTS = 750
"""Maximum points of a history: a month of hours, or two years of days."""

FIRST_MONDAY = EPOCH + timedelta(days=4)
"""The origin of the buckets of every step: in UTC, with weeks from Monday."""


class Step(StrEnum):
    """The distance between the points of a history."""

    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"

    @property
    def length(self) -> timedelta:
        """The length of a bucket; all are equal, since no hour is repeated or skipped in UTC."""
        return {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1), "WEEK": timedelta(weeks=1)}[self.value]


class Trend(StrEnum):
    """The direction of a score between the beginning and the end of a history."""

    INCREASING = "INCREASING"
    FLAT = "FLAT"
    DECREASING = "DECREASING"


@dataclass(frozen=True, slots=True)
class Buckets:
    """`count` consecutive intervals of one step, of which the first begins at `first`."""

    step: Step
    first: datetime
    count: int

    @property
    def end(self) -> datetime:
        """The first instant after the last bucket."""
        return self.first + self.count * self.step.length

    @property
    def starts(self) -> list[datetime]:
        """The first instant of each bucket."""
        return [self.first + number * self.step.length for number in range(self.count)]


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """One bucket: the all-time score at its end, and its change within the bucket."""

    starts_at: datetime
    score: int
    gained: int


@dataclass(frozen=True, slots=True)
class ScoreHistory:
    """A user's all-time score in a category over time. `opening` is the score before the first point."""

    buckets: Buckets
    opening: int
    points: tuple[ScorePoint, ...]

    @property
    def gained(self) -> int:
        """The change of the score from beginning to end."""
        return self.points[-1].score - self.opening if self.points else 0

    @property
    def trend(self) -> Trend:
        """The direction of the score from beginning to end."""
        if self.gained == 0:
            return Trend.FLAT
        return Trend.INCREASING if self.gained > 0 else Trend.DECREASING

    def average_daily_gain(self, now: datetime) -> float:
        """Return the gain per 24 hours; the part of the last bucket after `now` is not counted as time."""
        time = min(self.buckets.end, now) - self.buckets.first
        return self.gained / (time / timedelta(days=1)) if time > timedelta(0) else 0.0


@dataclass(frozen=True, slots=True)
class RankPoint:
    """The user's rank in a closed window, as of its closing."""

    starts_at: datetime
    ends_at: datetime
    rank: int
    competition_rank: int
    score: int
    total_users: int


def buckets_between(begin: datetime, end: datetime, step: Step, now: datetime) -> Buckets:
    """Return the buckets that cover [begin, end), without those that begin after `now`.

    Raises:
        BadUserInput: A time has no time zone, the range is empty, or there are too many points.
    """
    if begin.tzinfo is None or end.tzinfo is None:
        raise BadUserInput("The beginning and the end of a range must have a time zone.")
    if begin >= end:
        raise BadUserInput("The beginning of a range must be before its end.")
    first = begin.astimezone(UTC) - (begin - FIRST_MONDAY) % step.length
    until = min(end, now + timedelta(microseconds=1))
    count = -((first - until) // step.length)
    if count > MAX_POINTS:
        raise BadUserInput(f"A history must have at most {MAX_POINTS} points: choose a longer step or a shorter range.")
    return Buckets(step, first, max(0, count))


def history_of(buckets: Buckets, opening: int, changes: Mapping[datetime, tuple[int, int]]) -> ScoreHistory:
    """Return the history with a point per bucket.

    Args:
        buckets: The buckets.
        opening: The score before the first bucket.
        changes: By the start of a bucket with changes: the score at its end, and the gain within it.
    """
    points = []
    score = opening
    for starts_at in buckets.starts:
        score, gained = changes.get(starts_at, (score, 0))
        points.append(ScorePoint(starts_at, score, gained))
    return ScoreHistory(buckets, opening, tuple(points))
