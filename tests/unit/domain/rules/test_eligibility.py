"""The rules of a submission, each at its edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.catalogue.catalogue import Operator
from app.domain.errors import (
    AlreadyCompleted,
    CooldownActive,
    DailyLimitReached,
    DomainError,
    ScoreCapReached,
    TooEarly,
    Wait,
)
from app.domain.ledger.posting import Account, Activity, ScoreRequest
from app.domain.rules.eligibility import check, check_start, cooldown, daily_limit, min_duration, once_only, score_cap
from tests.unit.domain.score_requests import CATEGORY, NOW, account, action, request, rows

MICROSECOND = timedelta(microseconds=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def started(seconds_ago: float, needs: int) -> ScoreRequest:
    return request(started_at=ago(seconds_ago), action=action(min_duration=timedelta(seconds=needs)))


def refusal(
    rule: Any, wish: ScoreRequest, state: Account, now: datetime = NOW
) -> tuple[type[DomainError], int | None] | None:
    """The class of what the rule raises, and how long to wait; None when it lets the claim pass."""
    try:
        rule(wish, state, now)
    except Wait as error:
        return type(error), error.retry_after
    except DomainError as error:
        return type(error), None
    return None


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (started(0, 0), None),
        (started(60, 60), None),
        (started(61, 60), None),
        (started(60 - 1e-6, 60), (TooEarly, 1)),
        (started(59, 60), (TooEarly, 1)),
        (started(58.9, 60), (TooEarly, 2)),
        (started(0, 60), (TooEarly, 60)),
        (started(0.999999, 1), (TooEarly, 1)),
        (request(action=action(min_duration=timedelta(60))), None),
    ],
    ids=["none", "at", "after", "1 µs before", "1 s before", "rounded up", "at once", "a second", "start unknown"],
)
def test_an_action_takes_its_time(wish: ScoreRequest, expected: object):
    assert refusal(min_duration, wish, account()) == expected


@pytest.mark.parametrize(
    ("repeatable", "done_ever", "expected"),
    [(True, True, None), (True, False, None), (False, False, None), (False, True, (AlreadyCompleted, None))],
)
def test_an_action_that_is_not_repeatable_pays_once(repeatable: bool, done_ever: bool, expected: object):
    state = account(activity=Activity(ago(1), 0, done_ever))
    assert refusal(once_only, request(action=action(repeatable=repeatable)), state) == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, None),
        (ago(30), None),
        (ago(31), None),
        (ago(30) + MICROSECOND, (CooldownActive, 1)),
        (ago(28.5), (CooldownActive, 2)),
        (NOW, (CooldownActive, 30)),
        (NOW + timedelta(seconds=2), (CooldownActive, 32)),
    ],
    ids=["never", "at", "after", "1 µs before", "rounded up", "at once", "a clock behind"],
)
def test_an_action_needs_its_rest(last: datetime | None, expected: object):
    wish = request(action=action(cooldown=timedelta(seconds=30)))
    assert refusal(cooldown, wish, account(activity=Activity(last, 1, last is not None))) == expected


@pytest.mark.parametrize(
    ("limit", "done", "now", "expected"),
    [
        (None, 10_000, NOW, None),
        (3, 2, NOW, None),
        (3, 3, NOW, (DailyLimitReached, 12 * 3600)),
        (3, 4, NOW, (DailyLimitReached, 12 * 3600)),
        (1, 1, datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), (DailyLimitReached, 1)),
        (1, 1, datetime(2026, 12, 31, tzinfo=UTC), (DailyLimitReached, 86_400)),
    ],
    ids=["none", "one left", "reached", "lowered", "end of the year", "midnight"],
)
def test_a_day_allows_so_many(limit: int | None, done: int, now: datetime, expected: object):
    state = account(activity=Activity(now, done, True))
    assert refusal(daily_limit, request(action=action(daily_limit=limit)), state, now) == expected


@pytest.mark.parametrize(
    ("operator", "score", "expected"),
    [
        (Operator.SUM, 999, None),
        (Operator.SUM, 1000, (ScoreCapReached, None)),
        (Operator.SUM, 1001, (ScoreCapReached, None)),
        (Operator.BEST, 1000, None),
        (Operator.LATEST, 1000, None),
    ],
)
def test_at_the_cap_there_is_no_room(operator: Operator, score: int, expected: object):
    category = type(CATEGORY)("global", "Global", score_cap=1000, operator=operator)
    assert refusal(score_cap, request(category=category), account(rows=rows(category, ALL_TIME=score))) == expected


def test_a_user_without_a_score_has_all_the_room():
    assert refusal(score_cap, request(), account()) is None


def test_no_rule_concerns_a_claim_that_is_not_about_an_action():
    state = account(activity=Activity(NOW, 100, True))
    assert refusal(check, request(action=None, started_at=NOW), state) is None


def test_what_passes_for_ever_is_told_before_what_passes():
    kind = action(repeatable=False, cooldown=timedelta(hours=1), daily_limit=1)
    state = account(activity=Activity(ago(1), 1, True), rows=rows(ALL_TIME=1000))
    assert refusal(check, request(action=kind), state) == (AlreadyCompleted, None)


@pytest.mark.parametrize(
    ("rules", "activity", "expected"),
    [
        ({}, Activity(ago(0), 5, True), None),
        ({"repeatable": False}, Activity(), None),
        ({"repeatable": False}, Activity(ago(1000), 0, True), (AlreadyCompleted, None)),
        ({"cooldown": timedelta(seconds=60)}, Activity(ago(20), 1, True), (CooldownActive, 40)),
        ({"cooldown": timedelta(seconds=60)}, Activity(ago(60), 1, True), None),
        ({"cooldown": timedelta(seconds=60), "min_duration": timedelta(seconds=40)}, Activity(ago(20), 1, True), None),
        (
            {"cooldown": timedelta(seconds=60), "min_duration": timedelta(seconds=30)},
            Activity(ago(20), 1, True),
            (CooldownActive, 10),
        ),
        ({"daily_limit": 2}, Activity(ago(20), 1, True), None),
        ({"daily_limit": 2}, Activity(ago(20), 2, True), (DailyLimitReached, 12 * 3600)),
        ({"daily_limit": 2, "min_duration": timedelta(hours=12)}, Activity(ago(20), 2, True), None),
    ],
)
def test_a_start_is_refused_for_what_the_earliest_submission_would_be_refused_for(
    rules: dict[str, Any], activity: Activity, expected: Any
):
    assert refusal(check_start, request(action=action(**rules)), account(activity=activity)) == expected
