"""Corrections: the effect of a moderator's decision on the scores of the open boards.

Closed windows do not change. On the ALL_TIME board a score remains the sum of its deltas, whatever the operator.
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
"""The kinds that award points."""

REVERSIBLE = (*AWARDS, Kind.ADJUSTMENT)
"""The kinds that can be reversed."""


@dataclass(frozen=True, slots=True)
class PriorTransaction:
    """An earlier transaction, as a correction needs it."""

    id: UUID
    user_id: UUID
    category_id: str | None
    kind: Kind
    points: int
    delta: int
    created_at: datetime
    request_key: str | None = None


def reversal_key(transaction_id: UUID) -> str:
    """Return the request key of the reversal of a transaction, which can be reversed once."""
    return f"revert:{transaction_id}"


def adjustment(category: Category, account: Account, delta: int, now: datetime) -> Correction:
    """Add `delta`, limited to the range of scores, to the ALL_TIME board, and as much to the open windows.

    Where scores do not add up, only windows in which the user has a score change.

    Raises:
        BadUserInput: Nothing would change.
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
    """Return the correction that makes the open boards what they would be without `prior`.

    Where scores add up, its delta is subtracted on the boards that were open when it was made. Elsewhere the other
    transactions of the user's `chain` (in order) decide: without the best, the second best is the best.
    """
    boards = boards_for(category, now)
    touched = [board for board in boards if window_of(board.window.period, prior.created_at) == board.window]
    if category.operator is Operator.SUM:
        return dict.fromkeys(touched, -prior.delta)
    entries = list(chain)
    reversed_keys = {entry.request_key for entry in entries if entry.kind is Kind.REVERSAL} | {reversal_key(prior.id)}
    kept = [entry for entry in entries if reversal_key(entry.id) not in reversed_keys]
    return {board: _rescore(category, kept, board) - _score(account, board) for board in touched}


def _rescore(category: Category, entries: Collection[PriorTransaction], board: Board) -> int:
    """Return the score that the transactions in the board's window make."""
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
