"""Read boards from the index in Redis: any number of views in one call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any
from uuid import UUID

from app.domain.boards.assign_ranks import BoardRow, BoardSlice, RankedRow, assign_ranks
from app.domain.boards.board import TOP, Board, Source
from app.domain.boards.views import After, Around, Before, Head, Player, Position, Slice, State, UserSelection, View
from app.domain.instants import from_micros
from app.runtime import Runtime
from app.services.board_index import BoardIndex, ViewRequest, ViewsReply, join_member, split_member
from app.services.boards.assemble import MAX_ENTRIES_ABOVE, ViewAssembler
from app.services.players.profile_cache import ProfileCache


class RedisReader:
    """Reads views from the board index. Raises BoardNotLoaded and RedisUnreachable."""

    def __init__(self, index: BoardIndex, profiles: ProfileCache, runtime: Runtime) -> None:
        self._index = index
        self._profiles = profiles
        self._runtime = runtime

    async def read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        """Read the state of each view, all of one version."""
        requests = [_requests(view) for view in views]
        reply = await self._index.views(board, chain.from_iterable(requests))
        raw = iter(reply.views)
        slices = [[_slice(next(raw)) for _ in asked] for asked in requests]
        views_with_slices = [
            (view, [one for one in found if one]) for view, found in zip(views, slices, strict=True)
        ]  # fmt: skip
        return await self._assembler(board, reply).states(views_with_slices, self._profiles)

    async def standings(self, board: Board, users: Sequence[UUID]) -> tuple[ViewAssembler, list[RankedRow | None]]:
        """Read the ranked row of each user, None for a user without a score. No profiles are read."""
        reply = await self._index.views(board, [("place", user_id.bytes, 0) for user_id in users])
        slices = map(_slice, reply.views)
        return self._assembler(board, reply), [assign_ranks(one)[-1] if one else None for one in slices]

    def _assembler(self, board: Board, reply: ViewsReply) -> ViewAssembler:
        as_of = from_micros(reply.changed_at) if reply.changed_at else self._runtime.clock()
        return ViewAssembler(board, reply.version, as_of, Source.REDIS, reply.total)


def _requests(view: View[Any]) -> Sequence[ViewRequest]:
    match view:
        case Head():
            return [("page", 0, TOP)]
        case Slice(offset, limit):
            return [("page", offset, limit)]
        case Around(user_id, radius):
            return [("around", user_id.bytes, radius)]
        case Player(user_id):
            return [("place", user_id.bytes, MAX_ENTRIES_ABOVE)]
        case After(position, limit):
            return [("after", _encode_position(position), limit)]
        case Before(position, limit):
            return [("before", b"" if position is None else _encode_position(position), limit)]
        case UserSelection(users):
            return [("place", user_id.bytes, 0) for user_id in users]
        case _:
            raise TypeError(view)


def _encode_position(position: Position) -> bytes:
    return join_member(position.reached_at, position.user_id) + str(position.sort_key).encode()


def _slice(raw: Sequence[Any]) -> BoardSlice | None:
    """Decode a view from the reply of the script; None for a user without a score."""
    if not raw:
        return None
    offset, above, through, *flat = raw
    rows = []
    for i in range(0, len(flat), 2):
        reached_at, user_id = split_member(flat[i])
        rows.append(BoardRow(user_id, abs(int(flat[i + 1])), reached_at))
    return BoardSlice(offset, above, through, rows)
