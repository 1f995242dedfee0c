"""What has changed between two readings of the head of a board: a new first place, and who was overtaken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.boards.board import TOP, Board
from app.domain.events.event import Event, EventType
from app.domain.events.facts import board_subject, user_subject


@dataclass(frozen=True, slots=True)
class Place:
    """A user in the head of a board. `sort_key` is lower the better the score is."""

    user_id: UUID
    sort_key: int
    score: int


def head_changes(board: Board, before: Sequence[Place], after: Sequence[Place], now: datetime) -> Iterator[Event]:
    """Yield the events between two heads of a board, each in board order with the first rank first.

    A user was overtaken if somebody who ranked below, or not in the head at all, now ranks above, and the user's own
    score has not become worse. Users who have left the head are reported without a new rank.
    """
    if after and (not before or before[0].user_id != after[0].user_id):
        yield _first_place(board, before[0].user_id if before else None, after[0], now)
    ranks_before = {place.user_id: rank for rank, place in enumerate(before, 1)}
    ranks_after = {place.user_id: rank for rank, place in enumerate(after, 1)}
    now_by_id = {place.user_id: place for place in after}
    for rank, place in enumerate(before, 1):
        current = now_by_id.get(place.user_id)
        if current is not None and current.sort_key > place.sort_key:
            continue
        new_rank = ranks_after.get(place.user_id)
        if new_rank is None and len(after) < TOP:
            continue  # Removed from the board, not overtaken.
        above = after if new_rank is None else after[: new_rank - 1]
        overtaker = next((one for one in reversed(above) if ranks_before.get(one.user_id, TOP + 1) > rank), None)
        if overtaker is not None:
            yield _overtaken(board, place, rank, new_rank, overtaker, now)


def _first_place(board: Board, previous: UUID | None, first: Place, now: datetime) -> Event:
    return Event(
        EventType.FIRST_PLACE,
        board_subject(board),
        board.category,
        now,
        {
            "userId": str(first.user_id),
            "previousUserId": None if previous is None else str(previous),
            "category": board.category,
            "window": board.window.key,
            "score": first.score,
        },
    )


def _overtaken(board: Board, place: Place, rank: int, new_rank: int | None, overtaker: Place, now: datetime) -> Event:
    return Event(
        EventType.OVERTAKEN,
        user_subject(place.user_id),
        board.category,
        now,
        {
            "userId": str(place.user_id),
            "overtakenBy": str(overtaker.user_id),
            "category": board.category,
            "window": board.window.key,
            "previousRank": rank,
            "rank": new_rank,
            "score": place.score,
            "overtakerScore": overtaker.score,
        },
    )
