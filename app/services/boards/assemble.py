"""Assemble the states of views from slices of a board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.boards.assign_ranks import BoardSlice, RankedRow, assign_ranks
from app.domain.boards.board import Board, Entry, Page, Source, UserStanding, Version
from app.domain.boards.overtaking import UserView
from app.domain.boards.views import Player, State, View
from app.domain.users import Profile
from app.services.players.profile_cache import ProfileCache

MAX_ENTRIES_ABOVE = 3
"""How many entries above a watched user are read, to find out who passed."""

ViewSlices = tuple[View[Any], Sequence[BoardSlice]]
"""A view with its slices: one, or one for each selected user with a score."""


@dataclass(frozen=True, slots=True)
class ViewAssembler:
    """Assembles the states of views that were read at one version.

    Attributes:
        board: The board.
        version: The version that was read.
        as_of: When the board last changed, as far as the store knows.
        source: The store that was read.
        total: The number of users on the whole board.
    """

    board: Board
    version: Version
    as_of: datetime
    source: Source
    total: int

    async def states(self, views: Sequence[ViewSlices], profiles: ProfileCache) -> list[State]:
        """Return the state of each view. Profiles that cannot be read now are replaced by placeholders."""
        ranked = [[one for slice_ in slices for one in assign_ranks(slice_)] for _, slices in views]
        players = [view.user_id for view, _ in views if isinstance(view, Player)]
        profiles_by_id = await profiles.get_or_placeholders(
            [*(one.row.user_id for rows in ranked for one in rows), *players]
        )
        return [
            self._user_view(view.user_id, rows, profiles_by_id)
            if isinstance(view, Player)
            else self._page(rows, slices[0].offset if slices else 0, profiles_by_id)
            for (view, slices), rows in zip(views, ranked, strict=True)
        ]

    def standing(self, user_id: UUID, ranked: RankedRow | None) -> UserStanding:
        """Return the standing of a user; `ranked` is None for a user without a score."""
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

    def _page(self, ranked: Sequence[RankedRow], offset: int, profiles_by_id: Mapping[UUID, Profile]) -> Page:
        """Return a page of the ranked rows, without users who were deleted meanwhile."""
        entries = (_entry(one, profiles_by_id) for one in ranked if one.row.user_id in profiles_by_id)
        ordered = tuple(sorted(entries, key=lambda entry: entry.rank))
        return Page(self.board, self.version, self.as_of, self.source, self.total, ordered, offset)

    def _user_view(
        self, user_id: UUID, ranked: Sequence[RankedRow], profiles_by_id: Mapping[UUID, Profile]
    ) -> UserView:
        """Return the view of a user; `ranked` ends with the user, or is empty for a user without a score."""
        standing = self.standing(user_id, ranked[-1] if ranked else None)
        above = tuple(_entry(one, profiles_by_id) for one in ranked[:-1] if one.row.user_id in profiles_by_id)
        return UserView(standing, profiles_by_id.get(user_id), above)


def _entry(ranked: RankedRow, profiles_by_id: Mapping[UUID, Profile]) -> Entry:
    row = ranked.row
    return Entry(
        ranked.rank,
        ranked.competition_rank,
        ranked.tied_with,
        row.score,
        row.reached_at,
        profiles_by_id[row.user_id],
    )
