"""Player profiles: totals, last action and achievements of one player."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.players.milestones import Milestone
from app.domain.users import Profile


@dataclass(frozen=True, slots=True)
class CategoryTotals:
    """The totals of a player in one category.

    Attributes:
        category: The category.
        score: The all-time score.
        actions: The number of completed actions.
        points: The points of these actions, without corrections.
        best_daily_rank: The best rank at the end of a day, 1 + the users with a better score; None before the first.
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
    """A player's totals, last action and achievements, consistent as of one moment."""

    user: Profile
    totals: tuple[CategoryTotals, ...]
    last_action: CompletedAction | None
    achievements: tuple[Milestone, ...]

    @property
    def actions(self) -> int:
        """The number of actions that the player has completed."""
        return sum(totals.actions for totals in self.totals)

    @property
    def average(self) -> float | None:
        """Points per action over all categories; None without actions."""
        return sum(totals.points for totals in self.totals) / self.actions if self.actions else None
