"""Boards as PostgreSQL has them: the truth, for when Redis is away and for what Redis does not hold.

That is windows past their retention, and boards as they stood at an instant of the past.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.board import TOP, Board, Source, Version
from app.domain.boards.ranking import BoardSlice, RankedRow, assign_ranks
from app.domain.boards.views import After, Around, Before, Head, Player, Slice, State, UserSelection, View
from app.models.statements.boards.read_boards import count_before, read_places, read_slices
from app.services.boards.assemble import Found, Reading
from app.services.players.profile_cache import ProfileCache
from app.stores.postgres import Database
from app.stores.replicas import Replicas


class PostgresBoards:
    """Reads views from the tables of scores and transactions. Raises ServiceUnavailable.

    PostgreSQL counts no versions: every reading gets the next number of this process, under an epoch of its own.
    """

    def __init__(
        self, database: Database | Replicas, profiles: ProfileCache, clock: Callable[[], datetime], epoch: str
    ) -> None:
        self._database = database
        self._profiles = profiles
        self._clock = clock
        self._epoch = epoch
        self._readings = 0

    async def read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        """The state of each view, all of one snapshot. However many there are, the board is gone through twice."""
        version = self._next_version()
        async with self._database.snapshot() as connection:
            found, total = await _find(connection, board, views)
        return await self._reading(board, version, total).states(found, self._profiles)

    async def places(self, board: Board, users: Sequence[UUID]) -> tuple[Reading, list[RankedRow | None]]:
        """Each user's own ranked line, or None without a row."""
        version = self._next_version()
        async with self._database.connect() as connection:
            stretches, total = await read_places(connection, board, users)
        ranked = [assign_ranks(slice_)[0] if slice_ else None for slice_ in stretches]
        return self._reading(board, version, total), ranked

    def _next_version(self) -> Version:
        self._readings += 1
        return Version(self._epoch, self._readings)

    def _reading(self, board: Board, version: Version, total: int) -> Reading:
        now = self._clock()
        until = board.as_of or min(board.window.ends_at or now, now)
        return Reading(board, version, until, Source.POSTGRES, total)


async def _find(connection: AsyncConnection, board: Board, views: Sequence[View[Any]]) -> tuple[list[Found], int]:
    """The stretches that answer each view, and how many users the board shows."""
    users = list({user_id: None for view in views for user_id in _users(view)})
    places: list[BoardSlice | None] = []
    total = 0
    if any(not isinstance(view, Head | Slice | After) for view in views):
        places, total = await read_places(connection, board, users)
    standing = {user_id: place for user_id, place in zip(users, places, strict=True) if place}
    ranges = {view: await _range(connection, board, view, standing, total) for view in views}
    stretches: dict[tuple[int, int], BoardSlice] = {}
    if wanted := list(dict.fromkeys(one for one in ranges.values() if one)):
        read, total = await read_slices(connection, board, wanted)
        stretches = dict(zip(wanted, read, strict=True))
    found: list[Found] = []
    for view in views:
        if (one := ranges[view]) is not None:
            found.append((view, [stretches[one]]))
        else:
            found.append((view, [standing[user_id] for user_id in _users(view) if user_id in standing]))
    return found, total


def _users(view: View[Any]) -> Collection[UUID]:
    """The users whose places answer a view, or tell where it is."""
    match view:
        case Player(user_id) | Around(user_id, _):
            return (user_id,)
        case UserSelection(users):
            return users
    return ()


async def _range(
    connection: AsyncConnection, board: Board, view: View[Any], standing: Mapping[UUID, BoardSlice], total: int
) -> tuple[int, int] | None:
    """The offset and limit of the stretch that answers a view; None when places alone do."""
    match view:
        case Head():
            return 0, TOP
        case Slice(offset, limit):
            return offset, limit
        case After(position, limit):
            return await count_before(connection, board, position, through=True), limit
        case Before(position, limit):
            stop = total if position is None else await count_before(connection, board, position)
            first = max(0, stop - limit)
            return first, stop - first
        case Around(user_id, radius) if user_id in standing:
            size = 2 * radius + 1
            return max(0, min(standing[user_id].offset - radius, total - size)), size
        case Around() | Player() | UserSelection():
            return None
    raise TypeError(view)
