"""Rescoring: the scores of a user on every board, computed again from the ledger by the rules that made them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from app.domain.boards.board import Board, board_of
from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import Category, Operator
from app.domain.ledger.corrections import AWARDS, PriorTransaction, adjustment, reversal, reversal_key
from app.domain.ledger.posting import (
    UNCHANGED,
    Account,
    Actor,
    Correction,
    Head,
    Kind,
    ScoreChange,
    ScoreRequest,
    Transaction,
    post,
)
from app.domain.ledger.scoring import ScoreRow, revise, sort_key
from app.domain.scores import MAX_SCORE
from app.domain.users import Profile


class Rescoring:
    """The scores of one user, to which the transactions of the chain are applied one after the other.

    The all-time score is that of the transaction. Windows are those of the periods that the category has today.
    """

    def __init__(self, user: Profile, categories: Mapping[str, Category]) -> None:
        self._user = user
        self._categories = categories
        self._rows: dict[Board, ScoreRow] = {}
        self._past: dict[str, list[PriorTransaction]] = {}

    def add(self, entry: Transaction) -> None:
        """Apply the next transaction of the chain. Raises KeyError for an unknown category."""
        if entry.category_id is None:
            return
        category = self._categories[entry.category_id]
        if category.operator is Operator.SUM:
            # Awards were limited by the cap of their time; the cap of today does not apply.
            category = replace(category, score_cap=MAX_SCORE)
        account = Account(self._user, Head(), self._rows)
        request = ScoreRequest(
            user_id=self._user.id,
            category=category,
            kind=entry.kind,
            points=entry.delta if category.operator is Operator.SUM else entry.points,
            actor=Actor(entry.actor.id, entry.actor.role),
            correction=self._correction(entry, category, account),
        )
        for standing in post(request, account, entry.created_at, entry.id).score_changes:
            self._rows[standing.board] = standing.row
        self._take_ledger_score(entry, category)
        self._append(entry)

    def score_changes(self, *, hidden: bool, deleted: bool) -> Iterator[ScoreChange]:
        """Yield the scores after the last transaction. Those of a deleted user are 0."""
        for board, row in self._rows.items():
            category = self._categories[board.category]
            score = 0 if deleted else row.score
            final = replace(row, score=score, hidden=hidden or deleted or (score == 0 and not category.ranks_zero))
            yield ScoreChange(board, self._user.id, final, sort_key(category.sort_order, score))

    def _correction(self, entry: Transaction, category: Category, account: Account) -> Correction | None:
        """Return the changes of an entry by board; None for an award, whose effect the category's operator decides."""
        all_time = board_of(category.id, Period.ALL_TIME, entry.created_at)
        if entry.kind in AWARDS:
            return None
        if entry.delta == 0 and entry.kind is not Kind.REVERSAL:
            return UNCHANGED
        if entry.kind is Kind.ADJUSTMENT:
            return adjustment(category, account, entry.delta, entry.created_at)
        prior = self._reversed_by(entry) if entry.kind is Kind.REVERSAL else None
        if prior is not None:
            return reversal(category, account, prior, self._past[category.id], entry.created_at)
        return {all_time: entry.delta}

    def _reversed_by(self, entry: Transaction) -> PriorTransaction | None:
        chain = self._past.get(entry.category_id or "", ())
        return next((prior for prior in chain if reversal_key(prior.id) == entry.request_key), None)

    def _take_ledger_score(self, entry: Transaction, category: Category) -> None:
        """Set the all-time score to that of the ledger, where the rules of today lead to another one."""
        board = board_of(category.id, Period.ALL_TIME, entry.created_at)
        row = self._rows.get(board)
        if (row.score if row else 0) != entry.score:
            self._rows[board] = revise(category, row, entry.score, entry.created_at, hidden=False)

    def _append(self, entry: Transaction) -> None:
        prior = PriorTransaction(
            entry.id, entry.user_id, entry.category_id, entry.kind, entry.points, entry.delta, entry.created_at,
            entry.request_key,
        )  # fmt: skip
        self._past.setdefault(entry.category_id or "", []).append(prior)
