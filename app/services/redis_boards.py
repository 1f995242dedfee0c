"""Boards as Redis has them: any number of views in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.domain.boards import TOP, Board, Source
from app.domain.ranking import Line, Ranked, Stretch, rank_all
from app.pubsub.views import Around, Head, Player, State
from app.services.board_views import NEIGHBOURS, AnyView, Reading, Slice
from app.services.profiles import Profiles
from app.services.standings import Request, Standings, split_member
from app.services.standings.layout import instant


class RedisBoards:
    """Reads views from the standings. Raises Cold and Unreachable as they do."""

    def __init__(self, standings: Standings, profiles: Profiles, clock: Callable[[], datetime]) -> None:
        self._standings = standings
        self._profiles = profiles
        self._clock = clock

    async def read(self, board: Board, views: Sequence[AnyView]) -> list[State]:
        """The state of each view, all of one version."""
        answer = await self._standings.views(board, [_request(view) for view in views])
        as_of = instant(answer.changed_at) if answer.changed_at else self._clock()
        reading = Reading(board, answer.version, as_of, Source.REDIS, answer.total)
        stretches = [_stretch(raw) for raw in answer.views]
        ranked = [rank_all(stretch) for stretch in stretches]
        players = [view.user_id for view in views if isinstance(view, Player)]
        shown = [one.line.user_id for lines in ranked for one in lines]
        profiles, known = await self._profiles.names([*shown, *players])
        reading = replace(reading, stale=not known)
        return [
            reading.user_view(view.user_id, lines, profiles)
            if isinstance(view, Player)
            else reading.page(lines, stretch.offset, profiles)
            for view, lines, stretch in zip(views, ranked, stretches, strict=True)
        ]

    async def places(self, board: Board, users: Sequence[Any]) -> tuple[Reading, list[Ranked | None]]:
        """Each user's own ranked line, or None without a row; no names are looked up."""
        answer = await self._standings.views(board, [("place", user_id.bytes, 0) for user_id in users])
        reading = Reading(board, answer.version, instant(answer.changed_at), Source.REDIS, answer.total)
        return reading, [rank_all(_stretch(raw))[-1] if raw else None for raw in answer.views]


def _request(view: AnyView) -> Request:
    match view:
        case Head():
            return "page", 0, TOP
        case Slice(offset, limit):
            return "page", offset, limit
        case Around(user_id, radius):
            return "around", user_id.bytes, radius
        case Player(user_id):
            return "place", user_id.bytes, NEIGHBOURS
        case _:
            raise TypeError(view)


def _stretch(raw: Sequence[Any]) -> Stretch:
    if not raw:
        return Stretch(0, 0, 0, [])
    offset, above, through, *rows = raw
    lines = []
    for i in range(0, len(rows), 2):
        reached_at, user_id = split_member(rows[i])
        lines.append(Line(user_id, abs(int(rows[i + 1])), reached_at))
    return Stretch(offset, above, through, lines)
