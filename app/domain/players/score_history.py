"""History: how a user's score and rank came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from app.domain.errors import BadUserInput
from app.domain.instants import EPOCH

MAX_POINTS = 750
"""How many points one history has at most: a month of hours, two years of days."""

FIRST_MONDAY = EPOCH + timedelta(days=4)
"""Buckets of every step are counted from here: in UTC, weeks from Monday."""


class Step(StrEnum):
    """How far apart the points of a history are."""

    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"

    @property
    def length(self) -> timedelta:
        """In UTC there are no hours that come twice: every bucket is as long as the other."""
        return {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1), "WEEK": timedelta(weeks=1)}[self.value]


class Trend(StrEnum):
    """Where a score went between the beginning and the end of a history."""

    INCREASING = "INCREASING"
    FLAT = "FLAT"
    DECREASING = "DECREASING"


@dataclass(frozen=True, slots=True)
class Buckets:
    """Consecutive stretches of time of one step: the first begins at `first`, the last ends at `end`."""

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
    """One bucket: the all-time score at its end, and how it changed within."""

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
        """What the score gained from beginning to end."""
        return self.points[-1].score - self.opening if self.points else 0

    @property
    def trend(self) -> Trend:
        """Where the score went from beginning to end."""
        if self.gained == 0:
            return Trend.FLAT
        return Trend.INCREASING if self.gained > 0 else Trend.DECREASING

    def average_daily_gain(self, now: datetime) -> float:
        """What was gained per day of 24 hours; what is still to come of the last bucket does not count as time."""
        time = min(self.buckets.end, now) - self.buckets.first
        return self.gained / (time / timedelta(days=1)) if time > timedelta(0) else 0.0


@dataclass(frozen=True, slots=True)
class RankPoint:
    """A closed window on whose board the user had a row: the place in it when it was closed."""

    starts_at: datetime
    ends_at: datetime
    rank: int
    competition_rank: int
    score: int
    total_users: int


def buckets_between(begin: datetime, end: datetime, step: Step, now: datetime) -> Buckets:
    """The buckets that hold `begin`, everything up to `end` (exclusive), and nothing that begins after `now`.

    Raises BadUserInput for an instant without a time zone, an empty or a backward stretch, and too many points.
    """
    if begin.tzinfo is None or end.tzinfo is None:
        raise BadUserInput("`from` and `to` must have a time zone.")
    if begin >= end:
        raise BadUserInput("`from` must be before `to`.")
    first = begin.astimezone(UTC) - (begin - FIRST_MONDAY) % step.length
    until = min(end, now + timedelta(microseconds=1))
    count = -((first - until) // step.length)
    if count > MAX_POINTS:
        raise BadUserInput(f"A history has at most {MAX_POINTS} points: choose a longer step or a shorter range.")
    return Buckets(step, first, max(0, count))


def history_of(buckets: Buckets, opening: int, changes: Mapping[datetime, tuple[int, int]]) -> ScoreHistory:
    """The history with a point per bucket. `changes`: for the buckets with any, the score after them and the gain."""
    points = []
    score = opening
    for starts_at in buckets.starts:
        score, gained = changes.get(starts_at, (score, 0))
        points.append(ScorePoint(starts_at, score, gained))
    return ScoreHistory(buckets, opening, tuple(points))
