"""Milestones: achievements that a player can reach once per category."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.boards.periods import Period
from app.domain.ledger.posting import Posting, ScoreChange, Transaction
from app.domain.users import Profile

THRESHOLDS = (100, 500, 1_000, 5_000, 10_000)
"""The all-time scores each of which is a milestone."""

TOP_TEN = 10
"""The last rank that is among the first ten."""


class MilestoneKind(StrEnum):
    """The kind of a milestone: a score, the first ten of the all-time board, or its first place."""

    SCORE = "SCORE"
    TOP_TEN = "TOP_TEN"
    FIRST_PLACE = "FIRST_PLACE"


@dataclass(frozen=True, slots=True)
class Milestone:
    """One milestone of one user. `threshold` is the score that was reached; None unless the kind is SCORE."""

    user: Profile
    category: str
    kind: MilestoneKind
    reached_at: datetime
    threshold: int | None = None


def scores_reached(posting: Posting) -> tuple[Milestone, ...]:
    """Return the milestones of the thresholds that the all-time score reaches by a posting, the lowest first.

    There are none in categories where the lowest score is the best, which have positive sort keys.
    """
    entry, change = posting.transaction, _all_time(posting)
    if entry.category_id is None or change is None or change.sort_key > 0:
        return ()
    return tuple(
        Milestone(posting.profile, entry.category_id, MilestoneKind.SCORE, entry.created_at, threshold)
        for threshold in thresholds_reached(entry)
    )


def thresholds_reached(entry: Transaction) -> Iterator[int]:
    """Yield the thresholds that the score of a transaction reaches and the score before it did not, the lowest first.

    They are milestones where the highest score is the best.
    """
    before = entry.score - entry.delta
    return (threshold for threshold in THRESHOLDS if before < threshold <= entry.score)


def ranks_reached(posting: Posting, rank: int | None) -> tuple[Milestone, ...]:
    """Return the milestones of `rank`, the all-time rank after a posting; None means that the user is not ranked."""
    entry = posting.transaction
    if rank is None or entry.category_id is None or _all_time(posting) is None:
        return ()
    return tuple(Milestone(posting.profile, entry.category_id, kind, entry.created_at) for kind in kinds_of_rank(rank))


def kinds_of_rank(rank: int) -> tuple[MilestoneKind, ...]:
    """Return the kinds of milestones of a rank."""
    if rank == 1:
        return MilestoneKind.TOP_TEN, MilestoneKind.FIRST_PLACE
    return (MilestoneKind.TOP_TEN,) if rank <= TOP_TEN else ()


def _all_time(posting: Posting) -> ScoreChange | None:
    """Return the new row of the all-time board, if it changed. None for a hidden user, who gets no milestones."""
    first = posting.score_changes[0] if posting.score_changes else None
    return first if first and first.board.window.period is Period.ALL_TIME and not first.row.hidden else None
