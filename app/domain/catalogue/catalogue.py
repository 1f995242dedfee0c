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


MAX_SHARDS = 16
"""The maximum number of shards of a category: every read of its boards asks all of them."""


class SortOrder(StrEnum):
    """Which score is the best."""

    HIGH_FIRST = "HIGH_FIRST"
    LOW_FIRST = "LOW_FIRST"


class ActionKind(StrEnum):
    """Who decides what a completion is worth: the catalogue, or the game, which states a value for each."""

    FIXED = "FIXED"
    STATED = "STATED"


class Operator(StrEnum):
    """How an award changes a score: it is added, it replaces a worse score, or it replaces any score."""

    SUM = "SUM"
    BEST = "BEST"
    LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class Category:
    """A separate ranking with one board per period and window.

    Attributes:
        score_cap: The highest score of a user in it.
        entry_metadata: Whether entries of its boards show the metadata of the transaction that set their score.
        shards: In how many shards its boards are in Redis; it is split if there are several.
    """

    id: str
    name: str
    score_cap: int
    description: str = ""
    sort_order: SortOrder = SortOrder.HIGH_FIRST
    operator: Operator = Operator.SUM
    periods: frozenset[Period] = frozenset(Period)
    enabled: bool = True
    score_format: ScoreFormat = WHOLE_NUMBERS
    entry_metadata: bool = False
    shards: int = 1

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
    """Something that players can complete.

    Attributes:
        points: What a FIXED action is worth without a difficulty; None if a difficulty must be given, and for a STATED
            action.
        difficulties: What a FIXED action is worth, by difficulty.
        min_value: The lowest value of a STATED action.
        max_value: The highest value of a STATED action; None: the score cap of the category.
    """

    id: str
    name: str
    category: str
    points: int | None
    description: str = ""
    difficulties: Mapping[str, int] = field(default_factory=dict)
    repeatable: bool = True
    min_duration: timedelta = timedelta(0)
    cooldown: timedelta = timedelta(0)
    daily_limit: int | None = None
    enabled: bool = True
    kind: ActionKind = ActionKind.FIXED
    min_value: int = 1
    max_value: int | None = None

    @property
    def is_stated(self) -> bool:
        """Whether the game states what a completion is worth."""
        return self.kind is ActionKind.STATED

    @property
    def limits_completions(self) -> bool:
        """Whether earlier completions can forbid another one."""
        return not self.repeatable or bool(self.cooldown) or self.daily_limit is not None

    def points_for(self, difficulty: str | None) -> int | None:
        """Return the points of `difficulty`, or `points` for None. A STATED action has none.

        Raises:
            InvalidAction: There is no such difficulty, or none is given and the action requires one.
        """
        points = self.points if difficulty is None else self.difficulties.get(difficulty)
        if points is None and (difficulty is not None or not self.is_stated):
            raise InvalidAction(None if difficulty is not None else "This action requires a `difficulty`.")
        return points

    def values_in(self, category: Category) -> range:
        """Return the values that may be stated for the action, which is one of `category`.

        Where scores do not add up the cap is a limit, too: cutting a time to the cap would make it a better one.
        """
        maximum = category.score_cap if self.max_value is None else self.max_value
        if category.operator is not Operator.SUM:
            maximum = min(maximum, category.score_cap)
        return range(self.min_value, maximum + 1)


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
