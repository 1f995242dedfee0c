"""Boards as PostgreSQL has them: the truth, for when Redis is away and for what Redis does not hold.

That is windows past their retention, and boards as they stood at an instant of the past.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards import TOP, Board, Source, Version
from app.domain.ranking import Ranked, Stretch, rank_all
from app.domain.views import After, Around, Before, Chosen, Head, Player, Slice, State, View
from app.models.boards import count_before, read_places, read_stretch
from app.services.board_views import Found, Reading
from app.services.database import Database
from app.services.profiles import Profiles


class PostgresBoards:
    """Reads views from the tables of scores and transactions. Raises ServiceUnavailable.

    PostgreSQL counts no versions: every reading gets the next number of this process, under an epoch of its own.
    """

    def __init__(self, database: Database, profiles: Profiles, clock: Callable[[], datetime], epoch: str) -> None:
        self._database = database
        self._profiles = profiles
        self._clock = clock
        self._epoch = epoch
        self._readings = 0

    async def read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        """The state of each view, all of one snapshot."""
        version = self._next_version()
        found: list[Found] = []
        total = 0
        async with self._database.snapshot() as connection:
            for view in views:
                stretches, total = await _read(connection, board, view)
                found.append((view, stretches))
        return await self._reading(board, version, total).states(found, self._profiles)

    async def places(self, board: Board, users: Sequence[UUID]) -> tuple[Reading, list[Ranked | None]]:
        """Each user's own ranked line, or None without a row."""
        version = self._next_version()
        async with self._database.connect() as connection:
            stretches, total = await read_places(connection, board, users)
        ranked = [rank_all(stretch)[0] if stretch else None for stretch in stretches]
        return self._reading(board, version, total), ranked

    def _next_version(self) -> Version:
        self._readings += 1
        return Version(self._epoch, self._readings)

    def _reading(self, board: Board, version: Version, total: int) -> Reading:
        now = self._clock()
        until = board.as_of or min(board.window.ends_at or now, now)
        return Reading(board, version, until, Source.POSTGRES, total)


async def _read(connection: AsyncConnection, board: Board, view: View[Any]) -> tuple[Sequence[Stretch], int]:
    match view:
        case Head():
            return await _slice(connection, board, 0, TOP)
        case Slice(offset, limit):
            return await _slice(connection, board, offset, limit)
        case After(position, limit):
            return await _slice(connection, board, await count_before(connection, board, position, through=True), limit)
        case Before(position, limit):
            if position is None:
                _, stop = await read_stretch(connection, board, 0, 0)
            else:
                stop = await count_before(connection, board, position)
            first = max(0, stop - limit)
            return await _slice(connection, board, first, stop - first)
        case Around(user_id, radius):
            (place,), total = await read_places(connection, board, [user_id])
            if place is None:
                return [], total
            size = 2 * radius + 1
            return await _slice(connection, board, max(0, min(place.offset - radius, total - size)), size)
        case Player(user_id):
            return await _places(connection, board, [user_id])
        case Chosen(users):
            return await _places(connection, board, list(users))
        case _:
            raise TypeError(view)


async def _slice(connection: AsyncConnection, board: Board, offset: int, limit: int) -> tuple[Sequence[Stretch], int]:
    stretch, total = await read_stretch(connection, board, offset, limit)
    return [stretch], total


async def _places(connection: AsyncConnection, board: Board, users: list[UUID]) -> tuple[Sequence[Stretch], int]:
    places, total = await read_places(connection, board, users)
    return [place for place in places if place], total
