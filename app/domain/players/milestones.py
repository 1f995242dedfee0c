"""Milestones: what a player reaches once in a category."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.boards.periods import Period
from app.domain.ledger.posting import Posting, ScoreChange
from app.domain.users import Profile

THRESHOLDS = (100, 500, 1_000, 5_000, 10_000)
"""The all-time scores that are a milestone each."""

TOP_TEN = 10
"""The last rank of the first ten."""


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


def scores_reached(posting: Posting) -> tuple[Milestone, ...]:
    """The thresholds that a posting takes the all-time score over, the lowest first.

    None where the lowest score leads, and sort keys are positive: there a high score is no achievement.
    """
    entry, standing = posting.transaction, _all_time(posting)
    if entry.delta <= 0 or entry.category_id is None or standing is None or standing.sort_key > 0:
        return ()
    before = entry.score - entry.delta
    return tuple(
        Milestone(posting.profile, entry.category_id, MilestoneKind.SCORE, entry.created_at, threshold)
        for threshold in THRESHOLDS
        if before < threshold <= entry.score
    )


def ranks_reached(posting: Posting, rank: int | None) -> tuple[Milestone, ...]:
    """What `rank`, the user's all-time rank after a posting, stands for. None: the user has none."""
    entry = posting.transaction
    if rank is None or entry.category_id is None or _all_time(posting) is None:
        return ()
    return tuple(Milestone(posting.profile, entry.category_id, kind, entry.created_at) for kind in kinds_of_rank(rank))


def kinds_of_rank(rank: int) -> tuple[MilestoneKind, ...]:
    """The milestones of standing at a rank."""
    if rank == 1:
        return MilestoneKind.TOP_TEN, MilestoneKind.FIRST_PLACE
    return (MilestoneKind.TOP_TEN,) if rank <= TOP_TEN else ()


def _all_time(posting: Posting) -> ScoreChange | None:
    """The new state on the all-time board, which comes first if it changed. None for a hidden user: nobody may hear."""
    first = posting.score_changes[0] if posting.score_changes else None
    return first if first and first.board.window.period is Period.ALL_TIME and not first.row.hidden else None
