"""Boards as PostgreSQL has them: the truth, for when Redis is away and for windows that Redis no longer holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards import TOP, Board, Source, Version
from app.domain.ranking import Ranked, Stretch, rank_all
from app.models.boards import read_places, read_stretch
from app.pubsub.views import Around, Head, Player, State
from app.services.board_views import AnyView, Reading, Slice
from app.services.database import Database
from app.services.profiles import Profiles


class PostgresBoards:
    """Reads views from the table of scores. Raises ServiceUnavailable.

    PostgreSQL counts no versions: every reading gets the next number of this process, under an epoch of its own.
    """

    def __init__(self, database: Database, profiles: Profiles, clock: Callable[[], datetime], epoch: str) -> None:
        self._database = database
        self._profiles = profiles
        self._clock = clock
        self._epoch = epoch
        self._readings = 0

    async def read(self, board: Board, views: Sequence[AnyView]) -> list[State]:
        """The state of each view, all of one snapshot."""
        reading = self._next_reading(board)
        states: list[tuple[AnyView, Stretch, int]] = []
        async with self._database.snapshot() as connection:
            for view in views:
                states.append((view, *await _read(connection, board, view)))
        ranked = [rank_all(stretch) for _, stretch, _ in states]
        players = [view.user_id for view in views if isinstance(view, Player)]
        profiles = await self._profiles.get([*(one.line.user_id for lines in ranked for one in lines), *players])
        answer: list[State] = []
        for (view, stretch, total), lines in zip(states, ranked, strict=True):
            counted = Reading(board, reading.version, reading.as_of, reading.source, total)
            if isinstance(view, Player):
                answer.append(counted.user_view(view.user_id, lines, profiles))
            else:
                answer.append(counted.page(lines, stretch.offset, profiles))
        return answer

    async def places(self, board: Board, users: Sequence[UUID]) -> tuple[Reading, list[Ranked | None]]:
        """Each user's own ranked line, or None without a row."""
        async with self._database.connect() as connection:
            stretches, total = await read_places(connection, board, list(users))
        reading = self._next_reading(board, total)
        return reading, [rank_all(stretch)[0] if stretch else None for stretch in stretches]

    def _next_reading(self, board: Board, total: int = 0) -> Reading:
        self._readings += 1
        return Reading(board, Version(self._epoch, self._readings), self._clock(), Source.POSTGRES, total)


async def _read(connection: AsyncConnection, board: Board, view: AnyView) -> tuple[Stretch, int]:
    match view:
        case Head():
            return await read_stretch(connection, board, 0, TOP)
        case Slice(offset, limit):
            return await read_stretch(connection, board, offset, limit)
        case Player(user_id):
            (place,), total = await read_places(connection, board, [user_id])
            return place or Stretch(0, 0, 0, []), total
        case Around(user_id, radius):
            (place,), total = await read_places(connection, board, [user_id])
            if place is None:
                return Stretch(0, 0, 0, []), total
            size = 2 * radius + 1
            return await read_stretch(connection, board, max(0, min(place.offset - radius, total - size)), size)
        case _:
            raise TypeError(view)
