"""Windows: half-open, in UTC, the boundary belonging to the new one."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.boards.periods import Period, Window, parse_window, window_of

EPOCH = datetime(1971, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(0, 7 * 10**15).map(lambda to_micros: EPOCH + timedelta(microseconds=to_micros))
WINDOWED = st.sampled_from([Period.DAILY, Period.WEEKLY, Period.MONTHLY])


@pytest.mark.parametrize(
    ("period", "instant", "start", "end"),
    [
        (Period.DAILY, datetime(2026, 11, 20, 23, 59, 59, 999999, UTC), date(2026, 11, 20), date(2026, 11, 21)),
        (Period.DAILY, datetime(2026, 11, 21, tzinfo=UTC), date(2026, 11, 21), date(2026, 11, 22)),
        (Period.WEEKLY, datetime(2026, 11, 22, 23, 59, 59, 999999, UTC), date(2026, 11, 16), date(2026, 11, 23)),
        (Period.WEEKLY, datetime(2026, 11, 23, tzinfo=UTC), date(2026, 11, 23), date(2026, 11, 30)),
        (Period.MONTHLY, datetime(2026, 12, 31, 23, 59, tzinfo=UTC), date(2026, 12, 1), date(2027, 1, 1)),
        (Period.MONTHLY, datetime(2028, 2, 29, tzinfo=UTC), date(2028, 2, 1), date(2028, 3, 1)),
    ],
)
def test_the_boundary_belongs_to_the_new_window(period: Period, instant: datetime, start: date, end: date):
    window = window_of(period, instant)
    assert window.start == start
    assert window.starts_at == datetime(start.year, start.month, start.day, tzinfo=UTC)
    assert window.ends_at == datetime(end.year, end.month, end.day, tzinfo=UTC)


def test_all_time_has_neither_beginning_nor_end():
    window = window_of(Period.ALL_TIME, datetime(2026, 11, 20, tzinfo=UTC))
    assert (window.starts_at, window.ends_at, window.next) == (None, None, window)
    assert not window.is_closed(datetime.max.replace(tzinfo=UTC))


@given(WINDOWED, INSTANTS)
def test_windows_follow_each_other_without_gap_or_overlap(period: Period, instant: datetime):
    window = window_of(period, instant)
    assert window.starts_at is not None
    assert window.ends_at is not None
    assert window.starts_at <= instant < window.ends_at
    assert window_of(period, window.ends_at) == window.next
    assert window_of(period, window.ends_at - timedelta(microseconds=1)) == window
    assert window.is_closed(window.ends_at)
    assert not window.is_closed(window.ends_at - timedelta(microseconds=1))


@given(st.sampled_from(Period), INSTANTS, st.integers(-14, 14))
def test_the_zone_in_which_an_instant_is_told_changes_nothing(period: Period, instant: datetime, hours: int):
    assert window_of(period, instant.astimezone(timezone(timedelta(hours=hours)))) == window_of(period, instant)


def test_daylight_saving_changes_nothing():
    berlin = ZoneInfo("Europe/Berlin")
    clocks_go_back = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=berlin)
    assert window_of(Period.DAILY, clocks_go_back) == Window(Period.DAILY, date(2026, 10, 25))
    assert window_of(Period.DAILY, clocks_go_back).ends_at == datetime(2026, 10, 26, tzinfo=UTC)


@given(st.sampled_from(Period), INSTANTS)
def test_a_key_names_its_window(period: Period, instant: datetime):
    window = window_of(period, instant)
    assert parse_window(window.key) == window


@pytest.mark.parametrize(
    "key", ["", "DAILY", "DAILY:x", "WEEKLY:2026-11-20", "ALL_TIME:2026-11-20", "MONTHLY:2026-11-02"]
)
def test_what_is_no_key_is_refused(key: str):
    with pytest.raises(ValueError):  # noqa: PT011 - which words it uses is no promise
        parse_window(key)
