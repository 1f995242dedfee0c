"""Ranks from stretches: the same whichever part of a board is looked at."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.domain.boards.assign_ranks import BoardRow, BoardSlice, assign_ranks

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def rows(scores: list[int]) -> list[BoardRow]:
    return [BoardRow(UUID(int=number), score, NOON) for number, score in enumerate(scores)]


def slice_(scores: list[int], offset: int, limit: int) -> BoardSlice:
    """What a store says of a part of a whole board in descending order."""
    part = scores[offset : offset + limit]
    above = sum(score > part[0] for score in scores) if part else 0
    through = sum(score >= part[-1] for score in scores) if part else 0
    return BoardSlice(offset, above, through, rows(scores)[offset : offset + limit])


def test_equal_scores_share_the_competition_rank_and_never_the_rank():
    ranked = assign_ranks(slice_([50, 50, 30, 30, 10], 0, 5))
    assert [one.rank for one in ranked] == [1, 2, 3, 4, 5]
    assert [one.competition_rank for one in ranked] == [1, 1, 3, 3, 5]
    assert [one.tied_with for one in ranked] == [1, 1, 1, 1, 0]


def test_an_empty_stretch_has_no_ranks():
    assert assign_ranks(slice_([], 0, 10)) == []


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 30), st.integers(1, 30))
def test_a_stretch_is_ranked_as_it_is_within_the_whole(scores: list[int], offset: int, limit: int):
    scores.sort(reverse=True)
    whole = assign_ranks(slice_(scores, 0, len(scores)))
    assert assign_ranks(slice_(scores, offset, limit)) == whole[offset : offset + limit]
    for one in whole:
        assert one.competition_rank == 1 + sum(score > one.row.score for score in scores)
        assert one.tied_with == scores.count(one.row.score) - 1
