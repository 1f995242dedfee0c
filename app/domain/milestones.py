"""Milestones: what a player reaches once in a category."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.users import Profile

THRESHOLDS = (100, 500, 1_000, 5_000, 10_000)
"""The all-time scores that are a milestone each."""


class MilestoneKind(StrEnum):
    """What was reached: a score, the first ten of the all-time board, or its first place."""

    SCORE = "SCORE"
    TOP_TEN = "TOP_TEN"
    FIRST_PLACE = "FIRST_PLACE"


@dataclass(frozen=True, slots=True)
class Milestone:
    """One achievement of one user. `threshold` is the score that was reached; None unless the kind is SCORE."""

    user: Profile
    category: str
    kind: MilestoneKind
    reached_at: datetime
    threshold: int | None = None
