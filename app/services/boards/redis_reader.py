"""Boards as Redis has them: any number of views in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from app.domain.boards.board import TOP, Board, Source
from app.domain.boards.ranking import BoardRow, BoardSlice, RankedRow, assign_ranks
from app.domain.boards.views import After, Around, Before, Head, Player, Position, Slice, State, UserSelection, View
from app.domain.instants import from_micros
from app.services.board_index import Answer, BoardIndex, Request, join_member, split_member
from app.services.boards.assemble import NEIGHBOURS, Reading
from app.services.players.profile_cache import ProfileCache


class RedisBoards:
    """Reads views from the standings. Raises Cold and Unreachable as they do."""

    def __init__(self, standings: BoardIndex, profiles: ProfileCache, clock: Callable[[], datetime]) -> None:
        self._standings = standings
        self._profiles = profiles
        self._clock = clock

    async def read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        """The state of each view, all of one version."""
        requests = [_requests(view) for view in views]
        answer = await self._standings.views(board, chain.from_iterable(requests))
        raw = iter(answer.views)
        stretches = [[_slice(next(raw)) for _ in asked] for asked in requests]
        found = [
            (view, [one for one in answers if one]) for view, answers in zip(views, stretches, strict=True)
        ]  # fmt: skip
        return await self._reading(board, answer).states(found, self._profiles)

    async def places(self, board: Board, users: Sequence[UUID]) -> tuple[Reading, list[RankedRow | None]]:
        """Each user's own ranked line, or None without a row; no names are looked up."""
        answer = await self._standings.views(board, [("place", user_id.bytes, 0) for user_id in users])
        stretches = map(_slice, answer.views)
        return self._reading(board, answer), [assign_ranks(one)[-1] if one else None for one in stretches]

    def _reading(self, board: Board, answer: Answer) -> Reading:
        as_of = from_micros(answer.changed_at) if answer.changed_at else self._clock()
        return Reading(board, answer.version, as_of, Source.REDIS, answer.total)


def _requests(view: View[Any]) -> Sequence[Request]:
    match view:
        case Head():
            return [("page", 0, TOP)]
        case Slice(offset, limit):
            return [("page", offset, limit)]
        case Around(user_id, radius):
            return [("around", user_id.bytes, radius)]
        case Player(user_id):
            return [("place", user_id.bytes, NEIGHBOURS)]
        case After(position, limit):
            return [("after", _point(position), limit)]
        case Before(position, limit):
            return [("before", b"" if position is None else _point(position), limit)]
        case UserSelection(users):
            return [("place", user_id.bytes, 0) for user_id in users]
        case _:
            raise TypeError(view)


def _point(position: Position) -> bytes:
    return join_member(position.reached_at, position.user_id) + str(position.sort_key).encode()


def _slice(raw: Sequence[Any]) -> BoardSlice | None:
    """What the script says of a view; None for a user without a row."""
    if not raw:
        return None
    offset, above, through, *rows = raw
    lines = []
    for i in range(0, len(rows), 2):
        reached_at, user_id = split_member(rows[i])
        lines.append(BoardRow(user_id, abs(int(rows[i + 1])), reached_at))
    return BoardSlice(offset, above, through, lines)
