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
from app.services.players.profile_cache import Profiles

MAX_ENTRIES_ABOVE = 3
"""How many entries above a watched user are read along, to tell who passed."""

ViewSlices = tuple[View[Any], Sequence[BoardSlice]]
"""A view with the stretches that answer it: one, or one for each chosen user who has a row."""


@dataclass(frozen=True, slots=True)
class ViewAssembler:
    """What all views of one reading have in common."""

    board: Board
    version: Version
    as_of: datetime
    source: Source
    total: int

    async def states(self, found: Sequence[ViewSlices], profiles: Profiles) -> list[State]:
        """The state of each view; names come from `profiles`, or stand in for names that cannot be had now."""
        ranked = [[one for slice_ in slices for one in assign_ranks(slice_)] for _, slices in found]
        players = [view.user_id for view, _ in found if isinstance(view, Player)]
        names = await profiles.names([*(one.row.user_id for rows in ranked for one in rows), *players])
        return [
            self._user_view(view.user_id, rows, names)
            if isinstance(view, Player)
            else self._page(rows, slices[0].offset if slices else 0, names)
            for (view, slices), rows in zip(found, ranked, strict=True)
        ]

    def standing(self, user_id: UUID, ranked: RankedRow | None) -> UserStanding:
        """Where a user stands; `ranked` is None for a user without a row."""
        if ranked is None:
            return UserStanding(self.board, self.version, user_id, self.total)
        return UserStanding(
            self.board,
            self.version,
            user_id,
            self.total,
            score=ranked.row.score,
            rank=ranked.rank,
            competition_rank=ranked.competition_rank,
            tied_with=ranked.tied_with,
            reached_at=ranked.row.reached_at,
        )

    def _page(self, ranked: Sequence[RankedRow], offset: int, names: Mapping[UUID, Profile]) -> Page:
        """A page of the ranked lines, but for users who have just ceased to exist."""
        entries = (_entry(one, names) for one in ranked if one.row.user_id in names)
        ordered = tuple(sorted(entries, key=lambda entry: entry.rank))
        return Page(self.board, self.version, self.as_of, self.source, self.total, ordered, offset)

    def _user_view(self, user_id: UUID, ranked: Sequence[RankedRow], names: Mapping[UUID, Profile]) -> UserView:
        """A user's view; `ranked` ends with the user, or is empty for a user without a row."""
        standing = self.standing(user_id, ranked[-1] if ranked else None)
        above = tuple(_entry(one, names) for one in ranked[:-1] if one.row.user_id in names)
        return UserView(standing, names.get(user_id), above)


def _entry(ranked: RankedRow, names: Mapping[UUID, Profile]) -> Entry:
    row = ranked.row
    return Entry(ranked.rank, ranked.competition_rank, ranked.tied_with, row.score, row.reached_at, names[row.user_id])
