"""Corrections: the effect of a moderator's decision on the scores of the open boards.

Closed windows do not change. On the ALL_TIME board a score remains the sum of its deltas, whatever the operator.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, window_of
from app.domain.catalogue.catalogue import Category, Operator
from app.domain.errors import BadUserInput
from app.domain.ledger.posting import Account, Correction, ScoreRequest, boards_for
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

    Where scores do not add up, only windows with the same score change: another one is the result of another action.

    Raises:
        BadUserInput: Nothing would change.
    """
    all_time, *windows = boards_for(category, now)
    before = _score(account, all_time)
    applied = max(0, min(category.score_cap, before + delta)) - before
    if applied == 0:
        raise BadUserInput("The score is already at the limit of its range, so nothing would change.")
    adds_up = category.operator is Operator.SUM
    return {all_time: applied} | {
        board: applied for board in windows if adds_up or (before and _score(account, board) == before)
    }


def setting(request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    """Return the adjustment that makes the ALL_TIME score `request.points`, with the difference as its points.

    Raises:
        BadUserInput: It is the score already.
    """
    all_time, *_ = boards_for(request.category, now)
    delta = request.points - _score(account, all_time)
    if delta == 0:
        raise BadUserInput(f"The score is {request.points} already, so nothing would change.")
    return replace(request, points=delta, correction=adjustment(request.category, account, delta, now))


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
    kept = _without(prior, chain)
    return {board: _rescore(category, kept, board)[0] - _score(account, board) for board in touched}


def deciding_transactions(
    category: Category, prior: PriorTransaction, chain: Iterable[PriorTransaction], boards: Iterable[Board]
) -> Iterator[tuple[Board, PriorTransaction]]:
    """Yield the boards on which, without `prior`, an award decides the score, each with that award.

    Where scores add up there is none, because all of them do.
    """
    if category.operator is Operator.SUM:
        return
    kept = _without(prior, chain)
    for board in boards:
        _, award = _rescore(category, kept, board)
        if award is not None:
            yield board, award


def _without(prior: PriorTransaction, chain: Iterable[PriorTransaction]) -> list[PriorTransaction]:
    """Return the transactions that would still count without `prior`."""
    entries = list(chain)
    reversed_keys = {entry.request_key for entry in entries if entry.kind is Kind.REVERSAL} | {reversal_key(prior.id)}
    return [entry for entry in entries if reversal_key(entry.id) not in reversed_keys]


def _rescore(
    category: Category, entries: Collection[PriorTransaction], board: Board
) -> tuple[int, PriorTransaction | None]:
    """Return the score that the transactions in the board's window make, and the award that decides it, if one does."""
    period = board.window.period
    score = all_time = 0
    award: PriorTransaction | None = None
    for entry in entries:
        is_inside = window_of(period, entry.created_at) == board.window
        before = score
        if entry.kind in AWARDS:
            all_time = next_score(category, all_time, entry.points)
            if is_inside:
                score = next_score(category, score, entry.points)
        elif entry.kind is Kind.ADJUSTMENT:
            if is_inside and (period is Period.ALL_TIME or (score and score == all_time)):
                score = max(0, min(category.score_cap, score + entry.delta))
            all_time = max(0, min(category.score_cap, all_time + entry.delta))
        if score != before:
            award = entry if entry.kind in AWARDS else None
    return score, award


def _score(account: Account, board: Board) -> int:
    row = account.rows.get(board)
    return row.score if row else 0
