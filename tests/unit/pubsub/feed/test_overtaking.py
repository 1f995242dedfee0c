"""Who overtook whom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.boards.board import Board, Entry, UserStanding, Version
from app.domain.boards.overtaking import UserView, overtaker
from app.domain.boards.periods import Period, window_of
from tests.support.boards.in_memory_boards import BIRTH, Ranking, profile

BOARD = Board("global", window_of(Period.ALL_TIME, BIRTH))
ME = 0


def view(ranking: Ranking, width: int) -> UserView:
    """What is seen of ME with `width` entries above."""
    entries = ranking.entries({})
    mine = next(entry for entry in entries if entry.user.id == profile(ME).id)
    standing = UserStanding(BOARD, ranking.version, mine.user.id, len(entries), mine.score, mine.rank)
    return UserView(standing, mine.user, entries[max(0, mine.rank - 1 - width) : mine.rank - 1])


def above(ranking: Ranking) -> list[Entry]:
    return list(view(ranking, 1000).above)


@given(
    start=st.lists(st.integers(0, 30), min_size=2, max_size=12),
    gains=st.lists(st.tuples(st.integers(0, 11), st.integers(1, 15)), max_size=8),
    width=st.integers(0, 12),
)
def test_who_is_named_has_passed_and_with_everybody_in_sight_somebody_is_named(
    start: list[int], gains: list[tuple[int, int]], width: int
) -> None:
    ranking = Ranking(Version("one", 1), {user: (score, user) for user, score in enumerate(start)})
    before, were_above = view(ranking, width), {entry.user for entry in above(ranking)}
    for turn, (user, gain) in enumerate(gains, 100):
        if user < len(start):
            ranking.rows[user] = (ranking.rows[user][0] + gain, turn)
    after = view(ranking, width)
    passed = [entry.user for entry in above(ranking) if entry.user not in were_above]
    named = overtaker(before, after)
    assert named is None or named in passed
    fell = (after.standing.rank or 0) > (before.standing.rank or 0)
    assert fell or named is None
    if fell and width >= len(start):
        assert named == passed[-1]


def test_the_nearest_of_several_is_named() -> None:
    ranking = Ranking(Version("one", 1), {ME: (10, 1), 1: (5, 2), 2: (4, 3), 3: (20, 4)})
    before = view(ranking, 3)
    ranking.rows |= {1: (15, 5), 2: (12, 6)}
    assert overtaker(before, view(ranking, 3)) == profile(2)


def test_nobody_is_named_who_only_may_have_passed() -> None:
    ranking = Ranking(Version("one", 1), {ME: (10, 1), 1: (11, 2), 2: (12, 3), 3: (13, 4), 4: (1, 5)})
    before = view(ranking, 1)
    ranking.rows |= {4: (50, 6), 1: (60, 7)}  # player 4 passed; player 2 comes into sight, but was above before
    assert overtaker(before, view(ranking, 1)) is None


def test_a_player_without_a_place_is_not_overtaken() -> None:
    ranking = Ranking(Version("one", 1), {ME: (10, 1)})
    nowhere = UserView(UserStanding(BOARD, ranking.version, profile(ME).id, 0))
    assert overtaker(nowhere, view(ranking, 3)) is None
    assert overtaker(view(ranking, 3), nowhere) is None
