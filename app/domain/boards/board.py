"""Boards, and what their readers see: pages, standings and updates."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from app.domain.boards.periods import Period, Window, window_of
from app.domain.users import Profile

TOP = 100
"""The number of entries in the head of a board, which is also the maximum of one page."""


class Source(StrEnum):
    """The store that a page was read from."""

    MEMORY = "MEMORY"
    REDIS = "REDIS"
    POSTGRES = "POSTGRES"


class Board(NamedTuple):
    """One ranking: a category in one window.

    A tuple, because boards are the keys of many dictionaries and a tuple is hashed without a call of Python code.

    Attributes:
        category: The id of the category.
        window: The window.
        as_of: The board as it was at this instant, computed from the ledger; None for the present state.
    """

    category: str
    window: Window
    as_of: datetime | None = None

    @property
    def key(self) -> str:
        """The name of the board in messages, cursors, ids and logs, for example `global/DAILY:2026-11-20`."""
        moment = "" if self.as_of is None else f"@{self.as_of.astimezone(UTC).isoformat()}"
        return f"{self.category}/{self.window.key}{moment}"

    def is_past(self, now: datetime) -> bool:
        """Return whether the board is one of the past: as of an instant, or of a window that is over."""
        return self.as_of is not None or self.window.is_closed(now)


def board_of(category: str, period: Period, instant: datetime) -> Board:
    """Return the board of a category and period that is or was open at `instant`."""
    return Board(category, window_of(period, instant))


@dataclass(frozen=True, slots=True)
class Entry:
    """One ranked user on a page.

    Attributes:
        rank: The 1-based position in board order.
        competition_rank: 1 + the number of users with a better score.
        tied_with: The number of other users with the same score.
        score: The score.
        reached_at: When the user reached the score.
        user: The profile of the user.
    """

    rank: int
    competition_rank: int
    tied_with: int
    score: int
    reached_at: datetime
    user: Profile


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a board. Within an epoch `number` never decreases; a rebuilt copy starts a new epoch."""

    epoch: str
    number: int


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive entries of a board at one version: all ranks and totals are consistent with each other.

    Attributes:
        board: The board.
        version: The version that was read.
        as_of: When the board last changed, as far as the store knows.
        source: The store that was read.
        total_users: The number of users on the whole board.
        entries: The entries from `offset` on, in board order.
        offset: The number of entries before the page.
        stale: Whether the page may be out of date because a store is unavailable.
        extra_views: Other pages that were read at the same version, each with the view that it shows.
        changed_at: When the first change happened that this page shows and the one before did not, in Unix time; None
            if that is unknown.
    """

    board: Board
    version: Version
    as_of: datetime
    source: Source
    total_users: int
    entries: tuple[Entry, ...]
    offset: int = 0
    stale: bool = False
    extra_views: ExtraViews = ()
    changed_at: float | None = field(default=None, compare=False)

    def page_of_head(self, limit: int, offset: int = 0) -> Page:
        """Return the page with only `limit` entries, from the absolute `offset` on."""
        first = offset - self.offset
        return replace(self, entries=self.entries[first : first + limit], offset=offset)


@dataclass(frozen=True, slots=True)
class UserStanding:
    """The score and rank of one user on a board. Without a score `rank` and what follows from it are None."""

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
        """The number of users with a better rank."""
        return None if self.rank is None else self.rank - 1

    @property
    def below(self) -> int | None:
        """The number of users with a worse rank."""
        return None if self.rank is None else self.total_users - self.rank

    @property
    def percentile(self) -> float | None:
        """The percentage of all users with a worse rank, from 0 to just under 100."""
        return None if self.below is None else self.below / self.total_users * 100


ExtraViews = tuple[tuple[Hashable, Page], ...]
"""Other views of a board, each with the page that was read for it at the same version."""


class UpdateKind(StrEnum):
    """The kind of a message of a subscription."""

    SNAPSHOT = "SNAPSHOT"
    UPDATE = "UPDATE"


@dataclass(frozen=True, slots=True)
class RankChange:
    """How the rank and score of one user changed on the visible page. A rank outside of the page is None."""

    user: Profile
    old_rank: int | None
    new_rank: int | None
    score: int
    score_delta: int


@dataclass(frozen=True, slots=True)
class BoardUpdate:
    """One message of a board subscription: the whole visible page, and the changes since the previous message.

    Attributes:
        kind: Whether it follows another message of the same window.
        page: The visible page.
        changes: What has changed.
        changed_at: When the first of these changes happened, in Unix time; None if that is unknown.
    """

    kind: UpdateKind
    page: Page
    changes: tuple[RankChange, ...] = ()
    changed_at: float | None = field(default=None, compare=False)


def changes_between(before: Page, after: Page) -> tuple[RankChange, ...]:
    """Return the changes of ranks, scores and names: users of `after` in order, then those who left."""
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
    """Whether users, order, scores, ties, names, staleness or the window differ, also in `extra_views`."""
    if before.board != after.board or before.stale != after.stale or len(before.entries) != len(after.entries):
        return True
    return any(
        (a.user, a.score, a.rank, a.competition_rank, a.tied_with)
        != (b.user, b.score, b.rank, b.competition_rank, b.tied_with)
        for a, b in zip(before.entries, after.entries, strict=True)
    ) or any(looks_different(a, b) for (_, a), (_, b) in zip(before.extra_views, after.extra_views, strict=True))
