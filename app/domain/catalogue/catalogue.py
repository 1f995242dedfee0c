"""The catalogue: the categories, and the points of their actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from app.domain.boards.periods import Period
from app.domain.errors import BadUserInput, CategoryNotFound, InvalidAction
from app.domain.scores import WHOLE_NUMBERS, ScoreFormat

DEFAULT_CATEGORY = "global"
"""The category of every installation, used where none is given."""


class SortOrder(StrEnum):
    """Which score is the best."""

    HIGH_FIRST = "HIGH_FIRST"
    LOW_FIRST = "LOW_FIRST"


class Operator(StrEnum):
    """How an award changes a score: it is added, it replaces a worse score, or it replaces any score."""

    SUM = "SUM"
    BEST = "BEST"
    LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class Category:
    """A separate ranking with one board per period and window. `score_cap` is the highest score of a user in it."""

    id: str
    name: str
    score_cap: int
    description: str = ""
    sort_order: SortOrder = SortOrder.HIGH_FIRST
    operator: Operator = Operator.SUM
    periods: frozenset[Period] = frozenset(Period)
    enabled: bool = True
    score_format: ScoreFormat = WHOLE_NUMBERS

    @property
    def ranks_zero(self) -> bool:
        """Whether a score of 0 is ranked, at the end.

        If scores are not added up, or the lowest is the best, 0 cannot be reached: it means that there is no score.
        """
        return self.operator is Operator.SUM and self.sort_order is SortOrder.HIGH_FIRST

    def require(self, period: Period) -> None:
        """Raise BadUserInput if this category has no boards of `period`."""
        if period not in self.periods:
            raise BadUserInput(f"The category {self.id} has no {period.value} board.")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that players can complete. It is worth `points`, or those of one of its `difficulties`."""

    id: str
    name: str
    category: str
    points: int
    description: str = ""
    difficulties: Mapping[str, int] = field(default_factory=dict)
    repeatable: bool = True
    min_duration: timedelta = timedelta(0)
    cooldown: timedelta = timedelta(0)
    daily_limit: int | None = None
    enabled: bool = True

    def points_for(self, difficulty: str | None) -> int:
        """Return the points of `difficulty`, or `points` for None. Raises InvalidAction for an unknown difficulty."""
        if difficulty is None:
            return self.points
        try:
            return self.difficulties[difficulty]
        except KeyError:
            raise InvalidAction from None


class Catalogue:
    """All categories and actions, consistent as of one moment."""

    def __init__(self, categories: Iterable[Category], actions: Iterable[Action]) -> None:
        self.categories = {category.id: category for category in categories}
        self.actions = {action.id: action for action in actions}

    def category(self, category_id: str) -> Category:
        """Return the category with this id, enabled or not. Raises CategoryNotFound."""
        try:
            return self.categories[category_id]
        except KeyError:
            raise CategoryNotFound from None

    def action(self, action_id: str) -> Action:
        """Return the action with this id. Raises InvalidAction if it or its category is disabled or does not exist."""
        action = self.actions.get(action_id)
        if action is None or not action.enabled or not self.categories[action.category].enabled:
            raise InvalidAction
        return action
