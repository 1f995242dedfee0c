"""Which milestones a posting stands for."""

from dataclasses import replace

import pytest

from app.domain.catalogue.catalogue import Operator, SortOrder
from app.domain.ledger.posting import Posting, post
from app.domain.players.milestones import MilestoneKind, ranks_reached, scores_reached
from tests.unit.domain.score_requests import CATEGORY, NEW_ID, NOW, account, request, rows

BIG = replace(CATEGORY, score_cap=1_000_000)


def posting(before: int, points: int, category=BIG) -> Posting:
    held = rows(category, ALL_TIME=before) if before else {}
    return post(request(points, category), account(rows=held), NOW, NEW_ID)


@pytest.mark.parametrize(
    ("before", "points", "reached"),
    [
        (0, 99, []),
        (0, 100, [100]),
        (99, 1, [100]),
        (100, 1, []),
        (99, 401, [100, 500]),
        (0, 20_000, [100, 500, 1_000, 5_000, 10_000]),
        (9_999, 1, [10_000]),
        (10_000, 5_000, []),
    ],
)
def test_a_threshold_is_reached_by_the_posting_that_goes_over_it(before: int, points: int, reached: list[int]):
    milestones = scores_reached(posting(before, points))
    assert [one.threshold for one in milestones] == reached
    assert {one.kind for one in milestones} <= {MilestoneKind.SCORE}
    assert {one.reached_at for one in milestones} <= {NOW}


def test_where_the_lowest_score_leads_a_high_one_is_no_milestone():
    races = replace(BIG, sort_order=SortOrder.LOW_FIRST, operator=Operator.BEST)
    assert scores_reached(posting(0, 5_000, races)) == ()


def test_a_correction_downwards_reaches_nothing():
    down = replace(request(-500, BIG), correction={next(iter(rows(BIG, ALL_TIME=1))): -500})
    assert scores_reached(post(down, account(rows=rows(BIG, ALL_TIME=1_200)), NOW, NEW_ID)) == ()


def test_a_correction_of_windows_alone_reaches_no_rank():
    (day,) = rows(BIG, DAILY=10)
    only_today = replace(request(5, BIG), correction={day: 5})
    changed = post(only_today, account(rows=rows(BIG, ALL_TIME=100, DAILY=10)), NOW, NEW_ID)
    assert ranks_reached(changed, 1) == (), "the rank is that of the daily board"


@pytest.mark.parametrize(
    ("rank", "kinds"),
    [
        (None, []),
        (1, [MilestoneKind.TOP_TEN, MilestoneKind.FIRST_PLACE]),
        (2, [MilestoneKind.TOP_TEN]),
        (10, [MilestoneKind.TOP_TEN]),
        (11, []),
    ],
)
def test_a_rank_is_a_milestone_among_the_first_ten(rank: int | None, kinds: list[MilestoneKind]):
    assert [one.kind for one in ranks_reached(posting(0, 5), rank)] == kinds
