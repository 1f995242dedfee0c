"""Corrections: what a moderator's decision does to scores, on the boards that are open.

Closed windows stay as they were. On the ALL_TIME board a score remains the sum of its deltas, whatever the operator.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, window_of
from app.domain.catalogue.catalogue import Category, Operator
from app.domain.errors import BadUserInput
from app.domain.ledger.posting import Account, Correction, boards_for
from app.domain.ledger.scoring import next_score
from app.domain.ledger.transactions import Kind

AWARDS = (Kind.ACTION, Kind.SIGNED_ACTION, Kind.SERVER_ACTION, Kind.RELEASE)
"""The kinds by which points are won."""

REVERSIBLE = (*AWARDS, Kind.ADJUSTMENT)
"""The kinds that can be taken back."""


@dataclass(frozen=True, slots=True)
class PriorTransaction:
    """A transaction of before, as a correction needs it."""

    id: UUID
    user_id: UUID
    category_id: str | None
    kind: Kind
    points: int
    delta: int
    created_at: datetime
    request_key: str | None = None


def reversal_key(transaction_id: UUID) -> str:
    """The request key of the one reversal that a transaction can have."""
    return f"revert:{transaction_id}"


def adjustment(category: Category, account: Account, delta: int, now: datetime) -> Correction:
    """`delta` on the ALL_TIME board, cut to the range of scores, and the same on the open windows.

    Where scores do not add up, only windows in which the user has a score take part. Raises BadUserInput when nothing
    would change.
    """
    all_time, *windows = boards_for(category, now)
    before = _score(account, all_time)
    applied = max(0, min(category.score_cap, before + delta)) - before
    if applied == 0:
        raise BadUserInput("The score is already at the limit of its range, so nothing would change.")
    adds_up = category.operator is Operator.SUM
    return {all_time: applied} | {board: applied for board in windows if adds_up or _score(account, board)}


def reversal(
    category: Category, account: Account, prior: PriorTransaction, chain: Iterable[PriorTransaction], now: datetime
) -> Correction:
    """The open boards as they would be without `prior`.

    Where scores add up, that is its delta less, on the boards that were open when it was made. Elsewhere the rest of
    the user's `chain` (in order) decides: without a best, the second best is the best.
    """
    boards = boards_for(category, now)
    touched = [board for board in boards if window_of(board.window.period, prior.created_at) == board.window]
    if category.operator is Operator.SUM:
        return dict.fromkeys(touched, -prior.delta)
    entries = list(chain)
    gone = {entry.request_key for entry in entries if entry.kind is Kind.REVERSAL} | {reversal_key(prior.id)}
    kept = [entry for entry in entries if reversal_key(entry.id) not in gone]
    return {board: _rescore(category, kept, board) - _score(account, board) for board in touched}


def _rescore(category: Category, entries: Collection[PriorTransaction], board: Board) -> int:
    """What the entries that fall into the board's window make of an empty board."""
    period = board.window.period
    score = 0
    for entry in entries:
        if window_of(period, entry.created_at) != board.window:
            continue
        if entry.kind in AWARDS:
            score = next_score(category, score, entry.points)
        elif entry.kind is Kind.ADJUSTMENT and (score or period is Period.ALL_TIME):
            score = max(0, min(category.score_cap, score + entry.delta))
    return score


def _score(account: Account, board: Board) -> int:
    row = account.rows.get(board)
    return row.score if row else 0
