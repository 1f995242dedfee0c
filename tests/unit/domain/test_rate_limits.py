"""The rules of rate limits, without a store and without a clock."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BadUserInput
from app.domain.rate_limits import Activity, Limit, SlidingWindow, allowance, user_subject
from app.domain.users import Role
from tests.support.limits import limits
from tests.support.service import caller

STEPS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), max_size=60)


def three_in_ten() -> SlidingWindow:
    return SlidingWindow(Limit("l", "hits", 3, 10))


def fill(window: SlidingWindow, *instants: float) -> SlidingWindow:
    for instant in instants:
        window.add(instant, 1)
    return window


@pytest.mark.parametrize(
    ("hits", "now", "cost", "wait"),
    [
        ((), 0, 3, 0),
        ((0,), 0, 2, 0),
        ((0,), 0, 3, 10),
        ((0, 4, 6), 6, 1, 4),
        ((0, 4, 6), 9, 1, 1),
        ((0, 4, 6), 10, 1, 0),
        ((0, 4, 6), 10, 2, 4),
        ((0, 4, 6), 9, 3, 7),
        ((0, 4, 6), 16, 3, 0),
        ((0, 4, 6, 12), 12, 1, 2),
        ((), 0, 4, 10),
    ],
)
def test_the_wait_is_until_enough_hits_are_older_than_the_window(hits: tuple[int, ...], now: int, cost: int, wait: int):
    assert fill(three_in_ten(), *hits).retry_after(now, cost) == wait


@given(STEPS)
def test_no_stretch_of_time_holds_more_than_the_limit_and_none_is_refused_without_need(steps: list[tuple[int, int]]):
    window, now = three_in_ten(), 0
    passed: list[int] = []
    for pause, cost in steps:
        now += pause
        recent = sum(1 for instant in passed if instant > now - 10)
        fits = recent + cost <= 3
        assert (window.retry_after(now, cost) == 0) is fits
        if fits:
            window.add(now, cost)
            passed += [now] * cost


@given(STEPS, st.integers(1, 3))
def test_hits_are_allowed_after_the_retry_time_and_refused_a_moment_before(steps: list[tuple[int, int]], cost: int):
    window, now = three_in_ten(), 0
    for pause, size in steps:
        now += pause
        if window.retry_after(now, size) == 0:
            window.add(now, size)
    wait = window.retry_after(now, cost)
    assert window.retry_after(now + wait, cost) == 0
    if wait:
        assert window.retry_after(math.nextafter(now + wait, 0), cost) > 0


def test_the_allowance_and_the_time_until_all_of_it_is_available():
    limit = Limit("l", "hits", 3, 10)
    assert allowance(limit, [], 5) == (limit, 3, 0)
    assert allowance(limit, [0, 4], 5) == (limit, 1, 9)
    assert allowance(limit, [0, 4], 12) == (limit, 2, 2)
    assert allowance(limit, [0, 4], 14) == (limit, 3, 0)
    assert allowance(limit, [1, 2, 3, 4], 5).remaining == 0


@pytest.mark.parametrize(("most", "half"), [(1, 1), (2, 1), (3, 1), (10, 5)])
def test_the_stricter_limit_is_half_and_never_nothing(most: int, half: int):
    assert Limit("l", "hits", most, 60).halved() == Limit("l", "hits", half, 60)


def names(who: object, costs: dict[Activity, int]) -> dict[str, int]:
    hit = limits().hit(who, "192.0.2.1", costs)
    return {charge.limit.name: charge.cost for charge in hit.charges}


def test_the_charges_depend_on_the_caller_and_the_activities():
    every = {Activity.ISSUE: 1, Activity.SUBMIT: 2, Activity.QUERY: 3}
    assert names(None, every) == {"anonymous": 6, "everybody": 6}
    assert names(caller(), {Activity.QUERY: 3}) == {"user-query": 3, "address-query": 3, "everybody": 3}
    assert names(caller(), {Activity.ISSUE: 1}) == {"user-issue": 1, "address-issue": 1, "everybody": 1}
    assert names(caller(role=Role.MODERATOR), every) == {
        "user-issue": 1,
        "user-submit": 2,
        "user-query": 3,
        "address-issue": 1,
        "address-submit": 2,
        "address-query": 3,
        "everybody": 6,
    }
    assert names(caller(role=Role.SERVER), every) == {"everybody": 6}


def test_accounts_are_the_users_and_the_addresses():
    alice = caller()
    hit = limits().hit(alice, "192.0.2.1", {Activity.SUBMIT: 1})
    assert [charge.subject for charge in hit.charges] == [user_subject(alice), "192.0.2.1", ""]


def test_a_request_that_can_never_be_allowed_is_bad_input():
    with pytest.raises(BadUserInput, match="must weigh at most 10 submissions"):
        limits(submit=10).hit(caller(), "192.0.2.1", {Activity.SUBMIT: 11})
