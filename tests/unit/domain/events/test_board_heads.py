"""Two heads of a board are compared."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from app.domain.boards.board import TOP, Board
from app.domain.boards.periods import ALL_TIME
from app.domain.events.board_heads import Place, head_changes

NOW = datetime(2026, 11, 20, tzinfo=UTC)
BOARD = Board("global", ALL_TIME)


def head(*scores: tuple[int, int]) -> list[Place]:
    return [Place(UUID(int=user), -score, score) for user, score in scores]


def changes(before: list[Place], after: list[Place]) -> list[tuple[str, int, int | None]]:
    """The type of each event, the user, and who overtook."""
    found = []
    for event in head_changes(BOARD, before, after, NOW):
        other = event.data.get("overtakenBy")
        found.append((event.type.value, UUID(event.data["userId"]).int, other and UUID(other).int))
    return found


def test_the_first_user_of_a_board_is_first_and_overtakes_nobody() -> None:
    assert changes([], head((1, 10))) == [("leaderboard.first_place", 1, None)]


def test_a_better_score_of_the_first_is_no_change_of_place() -> None:
    assert changes(head((1, 10), (2, 5)), head((1, 20), (2, 5))) == []


def test_everybody_who_was_passed_is_overtaken_by_the_nearest_above() -> None:
    before, after = head((1, 30), (2, 20), (3, 10)), head((3, 40), (1, 30), (2, 20))
    assert changes(before, after) == [
        ("leaderboard.first_place", 3, None),
        ("leaderboard.overtaken", 1, 3),
        ("leaderboard.overtaken", 2, 3),
    ]


def test_a_user_who_left_the_board_was_not_overtaken_and_overtook_nobody() -> None:
    assert changes(head((1, 30), (2, 20)), head((2, 20))) == [("leaderboard.first_place", 2, None)]


def test_a_user_whose_own_score_fell_was_not_overtaken() -> None:
    assert changes(head((1, 30), (2, 20)), head((2, 20), (1, 10))) == [("leaderboard.first_place", 2, None)]


def test_a_user_pushed_out_of_the_head_is_overtaken_without_a_new_rank() -> None:
    before = head(*((number, 1000 - number) for number in range(1, TOP + 1)))
    after = head((1, 999), (500, 998), *((number, 1000 - number) for number in range(2, TOP)))
    events = {UUID(event.data["userId"]).int: event.data for event in head_changes(BOARD, before, after, NOW)}
    assert events.keys() == set(range(2, TOP + 1))
    assert events[TOP]["rank"] is None
    assert events[2]["rank"] == 3
