"""Read a board: from Redis, else from PostgreSQL; whole pages, each of one ordering at one version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from app.domain.boards import TOP, Board, Entry, Page, Place, Source, Version
from app.domain.ranking import Line, Ranked, Stretch, rank_all
from app.domain.users import Profile
from app.models.boards import read_places, read_stretch
from app.services.database import Database
from app.services.profiles import Profiles
from app.services.standings import Answer, Cold, Request, Standings, Unreachable, split_member
from app.services.standings.layout import instant


class ReadBoard:
    """Reads pages and places. Tries Redis, falls back to PostgreSQL; raises ServiceUnavailable when neither answers."""

    def __init__(
        self,
        standings: Standings,
        database: Database,
        profiles: Profiles,
        on_cold: Callable[[str], None],
        clock: Callable[[], datetime],
        epoch: str,
    ) -> None:
        """`on_cold` is told of a category that Redis has lost. `epoch` names this process's readings of PostgreSQL."""
        self._standings = standings
        self._database = database
        self._profiles = profiles
        self._on_cold = on_cold
        self._clock = clock
        self._epoch = epoch
        self._readings = 0

    async def head(self, board: Board) -> Page:
        """The first 100 entries."""
        return await self.page(board, 0, TOP)

    async def page(self, board: Board, offset: int, limit: int) -> Page:
        """`limit` entries from a 0-based `offset` on."""
        answer = await self._ask(board, [("page", offset, limit)])
        if answer is None:
            return await self._page_from_postgres(board, offset, limit)
        return await self._page(board, answer, _stretch(answer.views[0]))

    async def around(self, board: Board, user_id: UUID, radius: int) -> Page:
        """`2 * radius + 1` entries with the user as near to the middle as the edges allow; none without a row."""
        answer = await self._ask(board, [("around", user_id.bytes, radius)])
        if answer is None:
            return await self._around_from_postgres(board, user_id, radius)
        return await self._page(board, answer, _stretch(answer.views[0]))

    async def places(self, board: Board, user_ids: Sequence[UUID]) -> list[Place]:
        """Where each of the users stands, all of one version."""
        answer = await self._ask(board, [("place", user_id.bytes, "") for user_id in user_ids])
        if answer is None:
            return await self._places_from_postgres(board, user_ids)
        return [
            _place(board, answer.version, answer.total, user_id, _stretch_of_place(view))
            for user_id, view in zip(user_ids, answer.views, strict=True)
        ]

    async def version(self, board: Board) -> Version | None:
        """The version of a board in Redis; None when Redis cannot tell, so that only a reading can."""
        try:
            return await self._standings.version(board)
        except Cold as cold:
            self._on_cold(cold.category)
        except Unreachable:
            pass
        return None

    async def _ask(self, board: Board, requests: Sequence[Request]) -> Answer | None:
        try:
            return await self._standings.views(board, requests)
        except Cold as cold:
            self._on_cold(cold.category)
        except Unreachable:
            pass
        return None

    async def _page(self, board: Board, answer: Answer, stretch: Stretch) -> Page:
        entries = await self._entries(rank_all(stretch))
        as_of = instant(answer.changed_at) if answer.changed_at else self._clock()
        return Page(board, answer.version, as_of, Source.REDIS, answer.total, entries, stretch.offset)

    async def _page_from_postgres(self, board: Board, offset: int, limit: int) -> Page:
        async with self._database.connect() as connection:
            stretch, total = await read_stretch(connection, board, offset, limit)
        entries = await self._entries(rank_all(stretch))
        return Page(board, self._next_version(), self._clock(), Source.POSTGRES, total, entries, offset)

    async def _around_from_postgres(self, board: Board, user_id: UUID, radius: int) -> Page:
        (place,) = await self._places_from_postgres(board, [user_id])
        if place.rank is None:
            return Page(board, place.version, self._clock(), Source.POSTGRES, place.total_users, ())
        size = 2 * radius + 1
        offset = max(0, min(place.rank - 1 - radius, place.total_users - size))
        return await self._page_from_postgres(board, offset, size)

    async def _places_from_postgres(self, board: Board, user_ids: Sequence[UUID]) -> list[Place]:
        async with self._database.connect() as connection:
            stretches, total = await read_places(connection, board, list(user_ids))
        version = self._next_version()
        return [
            _place(board, version, total, user_id, stretch)
            for user_id, stretch in zip(user_ids, stretches, strict=True)
        ]

    def _next_version(self) -> Version:
        # PostgreSQL has no version of a board: every reading of it is a new one.
        self._readings += 1
        return Version(self._epoch, self._readings)

    async def _entries(self, ranked: Sequence[Ranked]) -> tuple[Entry, ...]:
        profiles = await self._profiles.get([one.line.user_id for one in ranked])
        return tuple(_entry(one, profiles[one.line.user_id]) for one in ranked if one.line.user_id in profiles)


def _entry(ranked: Ranked, profile: Profile) -> Entry:
    line = ranked.line
    return Entry(ranked.rank, ranked.competition_rank, ranked.tied_with, line.score, line.reached_at, profile)


def _stretch(view: Sequence[object]) -> Stretch:
    if not view:
        return Stretch(0, 0, 0, [])
    offset, above, through, *rows = view
    lines = [_line(rows[i], rows[i + 1]) for i in range(0, len(rows), 2)]
    return Stretch(int(str(offset)), int(str(above)), int(str(through)), lines)


def _stretch_of_place(view: Sequence[object]) -> Stretch | None:
    if not view:
        return None
    rank, above, through, member, sort_key, *_ = view
    return Stretch(int(str(rank)), int(str(above)), int(str(through)), [_line(member, sort_key)])


def _line(member: object, sort_key: object) -> Line:
    assert isinstance(member, bytes)
    assert isinstance(sort_key, bytes)
    reached_at, user_id = split_member(member)
    return Line(user_id, abs(int(float(sort_key))), reached_at)


def _place(board: Board, version: Version, total: int, user_id: UUID, stretch: Stretch | None) -> Place:
    if stretch is None:
        return Place(board, version, user_id, total)
    (ranked,) = rank_all(stretch)
    line = ranked.line
    return Place(
        board,
        version,
        user_id,
        total,
        line.score,
        ranked.rank,
        ranked.competition_rank,
        ranked.tied_with,
        line.reached_at,
    )
