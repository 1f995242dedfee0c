"""Player profiles: what somebody wants to know of a player beyond a line on a board."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.players.milestones import Milestone
from app.domain.users import Profile


@dataclass(frozen=True, slots=True)
class CategoryTotals:
    """What a player did in one category. `points` is what the `actions` paid in all; corrections are not in it.

    `best_daily_rank` is the best rank that a day of play ended with, 1 + the users with a better score; None before
    the first.
    """

    category: str
    score: int
    actions: int
    points: int
    best_daily_rank: int | None = None

    @property
    def average(self) -> float | None:
        """Points per action; None without actions."""
        return self.points / self.actions if self.actions else None


@dataclass(frozen=True, slots=True)
class CompletedAction:
    """An action that a player completed."""

    action_id: str
    category: str
    points: int
    at: datetime


@dataclass(frozen=True, slots=True)
class PlayerProfile:
    """A player's totals, last action and achievements, all of one moment."""

    user: Profile
    totals: tuple[CategoryTotals, ...]
    last_action: CompletedAction | None
    achievements: tuple[Milestone, ...]

    @property
    def actions(self) -> int:
        """How many actions the player completed."""
        return sum(one.actions for one in self.totals)

    @property
    def average(self) -> float | None:
        """Points per action over all categories; None without actions."""
        return sum(one.points for one in self.totals) / self.actions if self.actions else None
