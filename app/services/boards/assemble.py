"""From stretches of a board to what its readers get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.boards.board import Board, Entry, Page, Source, UserStanding, Version
from app.domain.boards.overtaking import UserView
from app.domain.boards.ranking import BoardSlice, RankedRow, assign_ranks
from app.domain.boards.views import Player, State, View
from app.domain.users import Profile
from app.services.players.profile_cache import ProfileCache

NEIGHBOURS = 3
"""How many entries above a watched user are read along, to tell who passed."""

Found = tuple[View[Any], Sequence[BoardSlice]]
"""A view with the stretches that answer it: one, or one for each chosen user who has a row."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What all views of one reading have in common."""

    board: Board
    version: Version
    as_of: datetime
    source: Source
    total: int

    async def states(self, found: Sequence[Found], profiles: ProfileCache) -> list[State]:
        """The state of each view; names come from `profiles`, or stand in for names that cannot be had now."""
        ranked = [[one for slice_ in stretches for one in assign_ranks(slice_)] for _, stretches in found]
        players = [view.user_id for view, _ in found if isinstance(view, Player)]
        names = await profiles.get_or_placeholders([*(one.line.user_id for lines in ranked for one in lines), *players])
        return [
            self._user_view(view.user_id, lines, names)
            if isinstance(view, Player)
            else self._page(lines, stretches[0].offset if stretches else 0, names)
            for (view, stretches), lines in zip(found, ranked, strict=True)
        ]

    def place(self, user_id: UUID, ranked: RankedRow | None) -> UserStanding:
        """Where a user stands; `ranked` is None for a user without a row."""
        if ranked is None:
            return UserStanding(self.board, self.version, user_id, self.total)
        return UserStanding(
            self.board,
            self.version,
            user_id,
            self.total,
            score=ranked.line.score,
            rank=ranked.rank,
            competition_rank=ranked.competition_rank,
            tied_with=ranked.tied_with,
            reached_at=ranked.line.reached_at,
        )

    def _page(self, ranked: Sequence[RankedRow], offset: int, names: Mapping[UUID, Profile]) -> Page:
        """A page of the ranked lines, but for users who have just ceased to exist."""
        entries = (_entry(one, names) for one in ranked if one.line.user_id in names)
        ordered = tuple(sorted(entries, key=lambda entry: entry.rank))
        return Page(self.board, self.version, self.as_of, self.source, self.total, ordered, offset)

    def _user_view(self, user_id: UUID, ranked: Sequence[RankedRow], names: Mapping[UUID, Profile]) -> UserView:
        """A user's view; `ranked` ends with the user, or is empty for a user without a row."""
        place = self.place(user_id, ranked[-1] if ranked else None)
        above = tuple(_entry(one, names) for one in ranked[:-1] if one.line.user_id in names)
        return UserView(place, names.get(user_id), above)


def _entry(ranked: RankedRow, names: Mapping[UUID, Profile]) -> Entry:
    line = ranked.line
    return Entry(
        ranked.rank, ranked.competition_rank, ranked.tied_with, line.score, line.reached_at, names[line.user_id]
    )
