"""What a moderator's decision does to scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from app.domain.catalogue.catalogue import Category, Operator, SortOrder
from app.domain.errors import BadUserInput
from app.domain.ledger.corrections import (
    PriorTransaction,
    adjustment,
    deciding_transactions,
    reversal,
    reversal_key,
    setting,
)
from app.domain.ledger.posting import Correction, boards_for
from app.domain.ledger.transactions import Kind
from tests.unit.domain.score_requests import ALICE, CATEGORY, NOW, account, request, rows

BEST = replace(CATEGORY, operator=Operator.BEST)
LATEST = replace(CATEGORY, operator=Operator.LATEST)
BEST_TIME = replace(BEST, sort_order=SortOrder.LOW_FIRST)


def by_period(correction: Correction) -> dict[str, int]:
    return {board.window.period.value: change for board, change in correction.items()}


def past(number: int, points: int, delta: int, *, days_ago: float = 0, kind: Kind = Kind.ACTION) -> PriorTransaction:
    created_at = NOW - timedelta(days=days_ago) - timedelta(hours=1) + timedelta(minutes=number)
    return PriorTransaction(UUID(int=number), ALICE.id, "global", kind, points, delta, created_at)


@pytest.mark.parametrize(
    ("delta", "applied"), [(30, 30), (-30, -30), (-100, -100), (-500, -100), (900, 900), (901, 900)]
)
def test_an_adjustment_stays_within_the_range_of_scores(delta: int, applied: int):
    state = account(rows=rows(ALL_TIME=100, DAILY=100))
    assert set(by_period(adjustment(CATEGORY, state, delta, NOW)).values()) == {applied}


@pytest.mark.parametrize(("score", "delta"), [(0, -1), (1000, 1)])
def test_an_adjustment_that_changes_nothing_is_refused(score: int, delta: int):
    with pytest.raises(BadUserInput):
        adjustment(CATEGORY, account(rows=rows(ALL_TIME=score)), delta, NOW)


def test_where_scores_add_up_every_open_window_gets_its_share():
    assert by_period(adjustment(CATEGORY, account(), 30, NOW)) == {
        "ALL_TIME": 30, "DAILY": 30, "WEEKLY": 30, "MONTHLY": 30
    }  # fmt: skip


def test_elsewhere_only_windows_with_the_same_score_take_part():
    state = account(rows=rows(BEST, ALL_TIME=100, MONTHLY=100, DAILY=90))
    assert by_period(adjustment(BEST, state, 30, NOW)) == {"ALL_TIME": 30, "MONTHLY": 30}
    assert by_period(adjustment(BEST, account(), 30, NOW)) == {"ALL_TIME": 30}


def test_a_score_is_set_by_an_adjustment_of_the_difference():
    state = account(rows=rows(BEST, ALL_TIME=100, MONTHLY=100, DAILY=90))
    adjusted = setting(request(70, BEST), state, NOW)
    assert (adjusted.points, by_period(adjusted.correction)) == (-30, {"ALL_TIME": -30, "MONTHLY": -30})
    with pytest.raises(BadUserInput):
        setting(request(100, BEST), state, NOW)


def test_the_award_that_decides_a_score_after_a_reversal_is_known():
    entries = [past(1, 50, 50, days_ago=1), past(2, 80, 30), past(3, 60, 0), past(4, 90, 10)]
    boards = boards_for(BEST, NOW)
    for prior, chain, expected in ((entries[3], entries, 80), (entries[1], entries[:3], 60)):
        deciding = deciding_transactions(BEST, prior, chain, boards)
        assert {board: award.points for board, award in deciding} == dict.fromkeys(boards, expected)
    assert list(deciding_transactions(CATEGORY, entries[0], entries, boards)) == []


def test_a_reversal_takes_its_delta_from_the_windows_that_were_open_then():
    yesterday = past(1, 50, 50, days_ago=1)
    assert by_period(reversal(CATEGORY, account(), yesterday, [], NOW)) == {
        "ALL_TIME": -50, "WEEKLY": -50, "MONTHLY": -50
    }  # fmt: skip


@pytest.mark.parametrize(
    ("category", "points", "cheat", "expected"),
    [
        (BEST, [50, 80, 90], 1, 90),
        (BEST, [50, 80, 60], 1, 60),
        (BEST, [80], 0, 0),
        (BEST_TIME, [50, 20, 40], 1, 40),
        (BEST_TIME, [50, 20, 10], 1, 10),
        (LATEST, [50, 80, 20], 1, 20),
        (LATEST, [50, 80, 20], 2, 80),
        (LATEST, [50], 0, 0),
    ],
)
def test_where_scores_do_not_add_up_the_rest_decides(category: Category, points: list[int], cheat: int, expected: int):
    chain = [past(number, each, 0) for number, each in enumerate(points)]
    score = 77
    state = account(rows=rows(category, ALL_TIME=score, DAILY=score))
    correction = by_period(reversal(category, state, chain[cheat], chain, NOW))
    assert correction["ALL_TIME"] == correction["DAILY"] == expected - score


def test_what_was_taken_back_before_and_what_was_never_paid_does_not_come_back():
    chain = [past(1, 50, 50), past(2, 99, 0, kind=Kind.HELD), past(3, 90, 40), past(4, 80, 0)]
    taken_back = replace(past(5, -40, -10, kind=Kind.REVERSAL), request_key=reversal_key(chain[2].id))
    state = account(rows=rows(BEST, ALL_TIME=80))
    correction = reversal(BEST, state, chain[3], [*chain, taken_back], NOW)
    assert by_period(correction)["ALL_TIME"] == 50 - 80


def test_adjustments_are_kept_when_the_rest_decides():
    chain = [past(1, 50, 50), past(2, 5, 5, kind=Kind.ADJUSTMENT), past(3, 90, 35)]
    state = account(rows=rows(BEST, ALL_TIME=90))
    assert by_period(reversal(BEST, state, chain[2], chain, NOW))["ALL_TIME"] == 55 - 90
