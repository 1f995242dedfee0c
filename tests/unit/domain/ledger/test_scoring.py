"""How awards change scores, and who keeps seniority."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.catalogue.catalogue import Category, Operator, SortOrder
from app.domain.ledger.scoring import ScoreRow, next_score, revise, sort_key

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
HIGH, LOW = SortOrder.HIGH_FIRST, SortOrder.LOW_FIRST
PLAIN = Category("c", "C", 100)
SUM, BEST, LATEST = Operator.SUM, Operator.BEST, Operator.LATEST


@pytest.mark.parametrize(
    ("order", "operator", "current", "points", "expected"),
    [
        (HIGH, SUM, None, 10, 10),
        (HIGH, SUM, 95, 10, 100),
        (HIGH, SUM, 100, 1, 100),
        (HIGH, SUM, 5, -10, 0),
        (HIGH, BEST, None, 10, 10),
        (HIGH, BEST, 50, 10, 50),
        (HIGH, BEST, 50, 60, 60),
        (LOW, BEST, None, 70, 70),
        (LOW, BEST, 50, 60, 50),
        (LOW, BEST, 50, 40, 40),
        (LOW, LATEST, 50, 60, 60),
        (HIGH, LATEST, 50, 101, 100),
    ],
)
def test_an_award_makes_of_a_score(
    order: SortOrder, operator: Operator, current: int | None, points: int, expected: int
):
    category = Category("c", "C", 100, sort_order=order, operator=operator)
    assert next_score(category, current, points) == expected


def test_the_best_score_comes_first_in_ascending_order():
    assert sorted([3, 9, 5], key=lambda score: sort_key(HIGH, score)) == [9, 5, 3]
    assert sorted([3, 9, 5], key=lambda score: sort_key(LOW, score)) == [3, 5, 9]


def test_a_first_score_is_revision_one():
    assert revise(PLAIN, None, 10, NOON, hidden=False) == ScoreRow(10, NOON, 1)


def test_a_new_score_is_reached_now():
    assert revise(PLAIN, ScoreRow(10, NOON, 1), 20, LATER, hidden=False) == ScoreRow(20, LATER, 2)


def test_a_repeated_score_keeps_its_seniority():
    assert revise(PLAIN, ScoreRow(10, NOON, 1), 10, LATER, hidden=False) == ScoreRow(10, NOON, 2)


def test_a_clock_that_went_back_does_not_make_anybody_senior():
    assert revise(PLAIN, ScoreRow(10, LATER, 1), 20, NOON, hidden=False).reached_at == LATER + timedelta(microseconds=1)
