"""The catalogue: which categories there are, and what their actions pay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from app.domain.boards.periods import Period
from app.domain.errors import BadUserInput, CategoryNotFound, InvalidAction

DEFAULT_CATEGORY = "global"


class SortOrder(StrEnum):
    """Which score leads a board."""

    HIGH_FIRST = "HIGH_FIRST"
    LOW_FIRST = "LOW_FIRST"


class Operator(StrEnum):
    """How an award changes a score: it is added, it replaces a worse one, or it replaces any."""

    SUM = "SUM"
    BEST = "BEST"
    LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class Category:
    """A family of boards, one per period and window. `score_cap` is the highest score a user can have in it."""

    id: str
    name: str
    score_cap: int
    description: str = ""
    sort_order: SortOrder = SortOrder.HIGH_FIRST
    operator: Operator = Operator.SUM
    periods: frozenset[Period] = frozenset(Period)
    enabled: bool = True

    @property
    def ranks_zero(self) -> bool:
        """Whether a score of 0 stands on the boards, as the last.

        Where scores do not add up, or the lowest leads, 0 cannot be won: there it means that nothing is left.
        """
        return self.operator is Operator.SUM and self.sort_order is SortOrder.HIGH_FIRST

    def require(self, period: Period) -> None:
        """Raise BadUserInput when this category keeps no boards of `period`."""
        if period not in self.periods:
            raise BadUserInput(f"The category {self.id} has no {period.value} board.")


@dataclass(frozen=True, slots=True)
class Action:
    """Something a player can complete. `points` is what it pays, unless one of its `difficulties` is named."""

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
        """The points for `difficulty`, or the plain ones for None. Raises InvalidAction for an unknown difficulty."""
        if difficulty is None:
            return self.points
        try:
            return self.difficulties[difficulty]
        except KeyError:
            raise InvalidAction from None


class Catalogue:
    """One consistent reading of all categories and actions."""

    def __init__(self, categories: Iterable[Category], actions: Iterable[Action]) -> None:
        self.categories = {category.id: category for category in categories}
        self.actions = {action.id: action for action in actions}

    def category(self, category_id: str) -> Category:
        """The category of that id, enabled or not. Raises CategoryNotFound."""
        try:
            return self.categories[category_id]
        except KeyError:
            raise CategoryNotFound from None

    def action(self, action_id: str) -> Action:
        """The action of that id when it can be claimed now. Raises InvalidAction."""
        action = self.actions.get(action_id)
        if action is None or not action.enabled or not self.categories[action.category].enabled:
            raise InvalidAction
        return action
