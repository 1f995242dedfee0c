"""Stated values: what a game's back end or its verifier says that a completion of a STATED action is worth."""

from __future__ import annotations

from app.domain.catalogue.catalogue import Action, Category
from app.domain.errors import BadUserInput

MAX_REPORTS = 100
"""How many completions a back end may report at once."""


def require_value(action: Action, value: object) -> int:
    """Return the stated `value` of a STATED action, which may be out of its range.

    Raises:
        BadUserInput: The action is STATED and the value is missing or not a whole number, or the action is FIXED.
    """
    if not action.is_stated:
        raise BadUserInput(f"`value` must not be given for {action.id}: the catalogue sets the points of this action.")
    if value is None:
        raise BadUserInput(f"`value` is required for {action.id}: the catalogue does not set what it is worth.")
    if type(value) is not int:
        raise BadUserInput(f"`value` must be a whole number for {action.id}.")
    return value


def points_of(action: Action, category: Category, difficulty: str | None, value: int | None) -> int:
    """Return what a completion is worth that a game's back end reports: the stated value, or the points.

    Raises:
        InvalidAction: The action has no such difficulty, or requires one.
        BadUserInput: The value is missing, out of the range of the action, or given for a FIXED action.
    """
    points = action.points_for(difficulty)
    if points is not None and value is None:
        return points
    stated, allowed = require_value(action, value), action.values_in(category)
    if stated not in allowed:
        raise BadUserInput(f"`value` must be from {allowed.start} to {allowed.stop - 1} for {action.id}.")
    return stated
