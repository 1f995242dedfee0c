"""Histories: buckets in UTC, trend and average."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.errors import BadUserInput
from app.domain.players.score_history import MAX_POINTS, Step, Trend, buckets_between, history_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def day(number: int, hour: int = 0) -> datetime:
    return MONDAY + timedelta(days=number, hours=hour)


def test_a_bucket_begins_where_its_step_does():
    assert buckets_between(day(1, 5), day(3), Step.DAY, NOW).starts == [day(1), day(2)]
    assert buckets_between(day(1, 5) + timedelta(minutes=9), day(1, 7), Step.HOUR, NOW).starts == [day(1, 5), day(1, 6)]
    assert buckets_between(day(-3), day(2), Step.WEEK, NOW).starts == [MONDAY - timedelta(weeks=1), MONDAY]


def test_the_instant_of_the_end_is_not_asked_for():
    assert buckets_between(day(0), day(1), Step.DAY, NOW).starts == [day(0)]
    assert buckets_between(day(0), day(1) + timedelta(microseconds=1), Step.DAY, NOW).starts == [day(0), day(1)]


def test_no_bucket_begins_in_the_future():
    assert buckets_between(day(3), day(30), Step.DAY, NOW).starts == [day(3), day(4)]
    assert buckets_between(day(10), day(30), Step.DAY, NOW).starts == []


def test_daylight_saving_changes_nothing():
    berlin = ZoneInfo("Europe/Berlin")
    begin, end = datetime(2026, 10, 25, tzinfo=berlin), datetime(2026, 10, 26, tzinfo=berlin)
    assert buckets_between(begin, end, Step.HOUR, NOW).count == 25
    assert buckets_between(begin, end, Step.DAY, NOW).starts == [
        datetime(2026, 10, 24, tzinfo=UTC),
        datetime(2026, 10, 25, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("begin", "end", "step"),
    [
        (day(1), day(1), Step.DAY),
        (day(2), day(1), Step.DAY),
        (day(1).replace(tzinfo=None), day(2), Step.DAY),
        (day(1), day(2).replace(tzinfo=None), Step.DAY),
        (NOW - timedelta(hours=MAX_POINTS + 1), NOW, Step.HOUR),
    ],
)
def test_a_stretch_that_makes_no_sense_is_refused(begin: datetime, end: datetime, step: Step):
    with pytest.raises(BadUserInput):
        buckets_between(begin, end, step, NOW)


def test_a_history_has_a_point_for_every_step_and_carries_the_score_over_those_without_play():
    buckets = buckets_between(day(0), day(4), Step.DAY, NOW)
    history = history_of(buckets, 10, {day(1): (40, 30), day(3): (45, 5)})
    assert [(point.score, point.gained) for point in history.points] == [(10, 0), (40, 30), (40, 0), (45, 5)]
    assert (history.gained, history.trend) == (35, Trend.INCREASING)
    assert history.average_daily_gain(NOW) == 35 / 4


@pytest.mark.parametrize(("score", "trend"), [(11, Trend.INCREASING), (10, Trend.FLAT), (9, Trend.DECREASING)])
def test_the_trend_is_where_the_score_went(score: int, trend: Trend):
    buckets = buckets_between(day(0), day(1), Step.DAY, NOW)
    assert history_of(buckets, 10, {day(0): (score, score - 10)}).trend is trend


def test_what_is_to_come_of_the_last_bucket_does_not_lower_the_average():
    buckets = buckets_between(day(4), day(9), Step.DAY, NOW)
    assert history_of(buckets, 0, {day(4): (12, 12)}).average_daily_gain(NOW) == 24


def test_a_history_of_nothing_is_flat():
    history = history_of(buckets_between(day(10), day(12), Step.DAY, NOW), 0, {})
    assert (history.points, history.trend, history.average_daily_gain(NOW)) == ((), Trend.FLAT, 0.0)
