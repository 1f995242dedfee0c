"""What an operator may write into the catalogue, at the edges."""

from typing import Any

import pytest

from app.domain.catalogue.changes import CatalogueLimits, action_change, category_change, check_reason
from app.domain.errors import BadUserInput

LIMITS = CatalogueLimits(points=100, token_seconds=300)
NEW_CATEGORY = {"id": "races", "name": "Races"}
NEW_ACTION = {"id": "WIN_RACE", "name": "Win a race", "points": 100}


def test_a_new_category_takes_the_defaults_for_what_is_left_out():
    assert category_change(None, NEW_CATEGORY, LIMITS).after == {
        "id": "races",
        "name": "Races",
        "description": "",
        "sortOrder": "HIGH_FIRST",
        "operator": "SUM",
        "scoreCap": None,
        "scoreFormat": {"kind": "INTEGER", "digits": None, "unit": None},
        "periods": ["ALL_TIME", "DAILY", "WEEKLY", "MONTHLY"],
        "enabled": True,
        "entryMetadata": False,
        "shards": 1,
    }


def test_a_change_leaves_what_it_does_not_name():
    before = category_change(None, NEW_CATEGORY | {"scoreCap": 50, "periods": ["WEEKLY"]}, LIMITS).after
    after = category_change(before, {"id": "races", "enabled": False}, LIMITS).after
    assert after == {**before, "enabled": False}


def test_a_cap_can_be_removed():
    before = category_change(None, NEW_CATEGORY | {"scoreCap": 50}, LIMITS).after
    assert category_change(before, {"id": "races", "scoreCap": None}, LIMITS).after["scoreCap"] is None


def test_the_all_time_board_is_always_kept_and_periods_are_put_in_order():
    change = category_change(None, NEW_CATEGORY | {"periods": ["MONTHLY", "DAILY", "DAILY"]}, LIMITS)
    assert change.after["periods"] == ["ALL_TIME", "DAILY", "MONTHLY"]


@pytest.mark.parametrize(
    "given",
    [
        {"id": "Races"},
        {"id": ""},
        {"id": "-races"},
        {"id": "races!"},
        {"id": "r" * 51},
        {"id": None},
        {"id": 7},
        {"name": ""},
        {"name": "  "},
        {"name": "n" * 101},
        {"name": "right\u202eleft"},
        {"name": None},
        {"description": "d" * 1001},
        {"description": None},
        {"sortOrder": "SIDEWAYS"},
        {"sortOrder": None},
        {"operator": "sum"},
        {"scoreCap": 0},
        {"scoreCap": 2**53},
        {"scoreCap": True},
        {"scoreCap": "50"},
        {"periods": ["HOURLY"]},
        {"periods": "DAILY"},
        {"periods": None},
        {"periods": [["DAILY"]]},
        {"enabled": "yes"},
        {"enabled": None},
        {"color": "red"},
    ],
)
def test_a_category_that_is_not_right_is_refused(given: dict[str, Any]):
    with pytest.raises(BadUserInput):
        category_change(None, NEW_CATEGORY | given, LIMITS)


@pytest.mark.parametrize(
    "given",
    [
        {"points": 1},
        {"points": 100},
        {"id": "quiz_001"},
        {"difficulties": {}},
        {"difficulties": {"easy": 1, "hard": 100}},
        {"minDuration": 299},
        {"cooldown": 366 * 86_400},
        {"dailyLimit": 1},
        {"dailyLimit": 1000},
        {"dailyLimit": None},
        {"description": "Two\nlines."},
        {"points": None, "difficulties": {"easy": 1}},
        {"kind": "STATED", "points": None},
        {"kind": "STATED", "points": None, "minValue": 1, "maxValue": 1_000_000},
        {"kind": "STATED", "points": None, "minValue": 5, "maxValue": 5},
    ],
)
def test_an_action_at_the_bounds_is_accepted(given: dict[str, Any]):
    after = action_change(None, NEW_ACTION | given, LIMITS).after
    assert given.items() <= after.items()


@pytest.mark.parametrize(
    "given",
    [
        {"id": "WIN RACE"},
        {"id": "_WIN"},
        {"points": 0},
        {"points": 101},
        {"points": 1.5},
        {"points": True},
        {"points": None},
        {"category": "No Such"},
        {"difficulties": {"easy": 0}},
        {"difficulties": {"easy": 101}},
        {"difficulties": {"so easy": 5}},
        {"difficulties": {5: 5}},
        {"difficulties": ["easy"]},
        {"difficulties": {f"level{n}": 5 for n in range(21)}},
        {"repeatable": 1},
        {"minDuration": -1},
        {"minDuration": 300},
        {"cooldown": -1},
        {"dailyLimit": 0},
        {"dailyLimit": 1001},
        {"dificulties": {}},
        {"kind": "STATED"},
        {"kind": "GUESSED"},
        {"minValue": 1},
        {"maxValue": 1},
        {"kind": "STATED", "points": None, "difficulties": {"easy": 1}},
        {"kind": "STATED", "points": None, "minValue": 0},
        {"kind": "STATED", "points": None, "maxValue": 2**53},
        {"kind": "STATED", "points": None, "minValue": 6, "maxValue": 5},
    ],
)
def test_an_action_that_is_not_right_is_refused(given: dict[str, Any]):
    with pytest.raises(BadUserInput):
        action_change(None, NEW_ACTION | given, LIMITS)


def test_all_problems_are_reported_at_once_with_the_name_of_the_field():
    with pytest.raises(BadUserInput) as refusal:
        action_change(None, {"id": "WIN", "points": 0, "enabled": 5, "colour": "red"}, LIMITS)
    for part in ("action WIN", "`name`", "`points`", "`enabled`", "`colour`"):
        assert part in refusal.value.message


def test_an_action_of_another_kind_loses_what_it_was_worth():
    fixed = action_change(None, NEW_ACTION | {"difficulties": {"easy": 5}}, LIMITS).after
    stated = action_change(fixed, {"id": "WIN_RACE", "kind": "STATED", "maxValue": 50}, LIMITS).after
    assert (stated["points"], stated["difficulties"], stated["maxValue"]) == (None, {}, 50)
    again = action_change(stated, {"id": "WIN_RACE", "kind": "FIXED", "points": 7}, LIMITS).after
    assert (again["points"], again["minValue"], again["maxValue"]) == (7, None, None)


def test_only_order_and_operator_change_the_meaning_of_scores():
    before = category_change(None, NEW_CATEGORY, LIMITS).after
    for given in ({"sortOrder": "LOW_FIRST"}, {"operator": "BEST"}):
        assert category_change(before, {"id": "races"} | given, LIMITS).changes_order
    assert not category_change(before, {"id": "races", "enabled": False, "scoreCap": 5}, LIMITS).changes_order


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "bell\a"])
def test_a_change_needs_a_reason(reason: str):
    with pytest.raises(BadUserInput):
        check_reason(reason)


def test_a_reason_is_trimmed():
    assert check_reason("  new season ") == "new season"
