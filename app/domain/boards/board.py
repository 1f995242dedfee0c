"""Boards: what is ranked, and what a reader of a board sees."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from app.domain.boards.periods import Period, Window, window_of
from app.domain.users import Profile

TOP = 100
"""How many entries the head of a board has: the most that one page shows and one feed carries."""


class Source(StrEnum):
    """Where a reading of a board came from."""

    MEMORY = "MEMORY"
    REDIS = "REDIS"
    POSTGRES = "POSTGRES"


class Board(NamedTuple):
    """One ranking: a category in one window.

    A tuple, because boards are the keys of many dictionaries and a tuple is hashed without a call of Python code.

    Attributes:
        as_of: The instant as of which the ledger reconstructs the board. None: the board as it stands now.
    """

    category: str
    window: Window
    as_of: datetime | None = None

    @property
    def key(self) -> str:
        """`global/DAILY:2026-11-20`: names the board in events, cursors, ids and logs."""
        moment = "" if self.as_of is None else f"@{self.as_of.astimezone(UTC).isoformat()}"
        return f"{self.category}/{self.window.key}{moment}"


def board_of(category: str, period: Period, instant: datetime) -> Board:
    """The board of a category and period that is or was open at `instant`."""
    return Board(category, window_of(period, instant))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a board.

    `rank` is the 1-based position in board order; `competition_rank` is 1 + the number of users with a better score;
    `tied_with` counts the *other* users on the same score.
    """

    rank: int
    competition_rank: int
    tied_with: int
    score: int
    reached_at: datetime
    user: Profile


@dataclass(frozen=True, slots=True)
class Version:
    """A point in the life of a board. Within one epoch `number` never goes back; a rebuilt copy has a new epoch."""

    epoch: str
    number: int


@dataclass(frozen=True, slots=True)
class Page:
    """Entries `offset + 1 …` of a board at one version: every rank and total in it comes from one ordering.

    `extra_views` are other pages of the very same reading, each with the view that it answers.
    """

    board: Board
    version: Version
    as_of: datetime
    source: Source
    total_users: int
    entries: tuple[Entry, ...]
    offset: int = 0
    stale: bool = False
    extra_views: tuple[tuple[Hashable, Page], ...] = ()

    def page_of_head(self, limit: int, offset: int = 0) -> Page:
        """The same reading with only `limit` entries from absolute `offset` on."""
        first = offset - self.offset
        return replace(self, entries=self.entries[first : first + limit], offset=offset)


@dataclass(frozen=True, slots=True)
class UserStanding:
    """Where one user stands on a board. `rank`, `competition_rank`, `above`, `below` are None without a row."""

    board: Board
    version: Version
    user_id: UUID
    total_users: int
    score: int = 0
    rank: int | None = None
    competition_rank: int | None = None
    tied_with: int = 0
    reached_at: datetime | None = None

    @property
    def above(self) -> int | None:
        """Users ahead in board order."""
        return None if self.rank is None else self.rank - 1

    @property
    def below(self) -> int | None:
        """Users behind in board order."""
        return None if self.rank is None else self.total_users - self.rank

    @property
    def percentile(self) -> float | None:
        """The share of all users that stand below, in percent: 0 for the last, just under 100 for the first of many."""
        return None if self.below is None else self.below / self.total_users * 100


class UpdateKind(StrEnum):
    """What a message of a subscription is."""

    SNAPSHOT = "SNAPSHOT"
    UPDATE = "UPDATE"


@dataclass(frozen=True, slots=True)
class RankChange:
    """How one user moved in the visible window. A None rank is outside of it."""

    user: Profile
    old_rank: int | None
    new_rank: int | None
    score: int
    score_delta: int


@dataclass(frozen=True, slots=True)
class BoardUpdate:
    """One message of a board subscription: the whole visible page, and what moved since the message before."""

    kind: UpdateKind
    page: Page
    changes: tuple[RankChange, ...] = ()


def changes_between(before: Page, after: Page) -> tuple[RankChange, ...]:
    """Who moved, entered, left, scored or was renamed between two readings of one visible window, in new order."""
    old = {entry.user.id: entry for entry in before.entries}
    moved = []
    for entry in after.entries:
        was = old.pop(entry.user.id, None)
        if was is None:
            moved.append(RankChange(entry.user, None, entry.rank, entry.score, 0))
        elif (was.rank, was.score, was.user) != (entry.rank, entry.score, entry.user):
            delta = entry.score - was.score
            moved.append(RankChange(entry.user, was.rank, entry.rank, entry.score, delta))
    moved.extend(RankChange(was.user, was.rank, None, was.score, 0) for was in old.values())
    return tuple(moved)


def looks_different(before: Page, after: Page) -> bool:
    """Whether a watcher would see a difference: membership, order, score, name, staleness or the window itself."""
    if before.board != after.board or before.stale != after.stale or len(before.entries) != len(after.entries):
        return True
    return any(
        (a.user, a.score, a.rank, a.competition_rank) != (b.user, b.score, b.rank, b.competition_rank)
        for a, b in zip(before.entries, after.entries, strict=True)
    ) or any(looks_different(a, b) for (_, a), (_, b) in zip(before.extra_views, after.extra_views, strict=True))
