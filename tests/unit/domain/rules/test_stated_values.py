"""What a completion is worth that a game states, at the edges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.catalogue.catalogue import Action, ActionKind, Operator
from app.domain.errors import BadUserInput, InvalidAction
from app.domain.rules.stated_values import points_of
from tests.unit.domain.score_requests import CATEGORY, LEVEL

LAP = Action("LAP", "Lap", "global", None, kind=ActionKind.STATED, min_value=10, max_value=5000)
BEST = replace(CATEGORY, operator=Operator.BEST)


@pytest.mark.parametrize("value", [10, 11, 4999, 5000])
def test_a_value_within_the_range_is_what_a_completion_is_worth(value: int):
    assert points_of(LAP, CATEGORY, None, value) == value


@pytest.mark.parametrize("value", [None, 9, 5001, True, 10.5, "10"])
def test_any_other_value_is_refused(value: object):
    with pytest.raises(BadUserInput, match="LAP"):
        points_of(LAP, CATEGORY, None, value)  # type: ignore[arg-type]


def test_where_scores_do_not_add_up_the_cap_is_the_highest_value():
    assert points_of(LAP, BEST, None, BEST.score_cap) == BEST.score_cap
    with pytest.raises(BadUserInput, match="from 10 to 1000 "):
        points_of(LAP, BEST, None, BEST.score_cap + 1)


def test_without_a_range_the_cap_is_the_highest_value():
    free = replace(LAP, min_value=1, max_value=None)
    assert free.values_in(CATEGORY) == range(1, CATEGORY.score_cap + 1)


def test_fixed_points_are_not_stated():
    assert points_of(LEVEL, CATEGORY, None, None) == 50
    with pytest.raises(BadUserInput, match="must not be given for LEVEL"):
        points_of(LEVEL, CATEGORY, None, 50)


def test_a_difficulty_can_be_required():
    mission = replace(LEVEL, points=None, difficulties={"easy": 5})
    assert points_of(mission, CATEGORY, "easy", None) == 5
    with pytest.raises(InvalidAction, match="requires a `difficulty`"):
        points_of(mission, CATEGORY, None, None)


def test_a_stated_action_has_no_difficulties():
    with pytest.raises(InvalidAction):
        points_of(LAP, CATEGORY, "easy", 100)
