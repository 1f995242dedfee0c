"""From ranked lines to what readers of a board get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.boards import Board, Entry, Page, Place, Source, Version
from app.domain.ranking import Ranked
from app.domain.rivals import UserView
from app.domain.users import Profile
from app.pubsub.views import View

NEIGHBOURS = 3
"""How many entries above a watched user are read along, to tell who passed."""


@dataclass(frozen=True, slots=True)
class Slice:
    """`limit` entries of a board from a 0-based `offset` on: a Page."""

    offset: int
    limit: int


AnyView = View[Any] | Slice


@dataclass(frozen=True, slots=True)
class Reading:
    """What all views of one reading have in common."""

    board: Board
    version: Version
    as_of: datetime
    source: Source
    total: int
    stale: bool = False

    def page(self, ranked: Sequence[Ranked], offset: int, profiles: Mapping[UUID, Profile]) -> Page:
        """A page of the ranked lines, but for users who have just ceased to exist."""
        entries = tuple(_entry(one, profiles) for one in ranked if one.line.user_id in profiles)
        return Page(self.board, self.version, self.as_of, self.source, self.total, entries, offset, self.stale)

    def place(self, user_id: UUID, ranked: Ranked | None) -> Place:
        """Where a user stands; `ranked` is None for a user without a row."""
        if ranked is None:
            return Place(self.board, self.version, user_id, self.total)
        return Place(
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

    def user_view(self, user_id: UUID, ranked: Sequence[Ranked], profiles: Mapping[UUID, Profile]) -> UserView:
        """A user's view; `ranked` ends with the user, or is empty for a user without a row."""
        place = self.place(user_id, ranked[-1] if ranked else None)
        above = tuple(_entry(one, profiles) for one in ranked[:-1] if one.line.user_id in profiles)
        return UserView(place, profiles.get(user_id), above)


def _entry(ranked: Ranked, profiles: Mapping[UUID, Profile]) -> Entry:
    line = ranked.line
    profile = profiles[line.user_id]
    return Entry(ranked.rank, ranked.competition_rank, ranked.tied_with, line.score, line.reached_at, profile)
