"""Replaying a ledger gives the very scores that the ledger was written with."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.domain.boards.board import Board
from app.domain.catalogue.catalogue import Category, Operator, SortOrder
from app.domain.errors import BadUserInput
from app.domain.ledger.corrections import PriorTransaction, adjustment, reversal, reversal_key
from app.domain.ledger.posting import Account, Head, Kind, ScoreRequest, Transaction, post
from app.domain.ledger.rescoring import Rescoring
from app.domain.ledger.scoring import ScoreRow
from app.domain.ledger.transactions import Actor
from tests.unit.domain.score_requests import ALICE, CATEGORY, NOW

CATEGORIES = {
    "sum": replace(CATEGORY, id="sum", score_cap=300),
    "best": replace(CATEGORY, id="best", operator=Operator.BEST, score_cap=300),
    "low": replace(CATEGORY, id="low", operator=Operator.BEST, sort_order=SortOrder.LOW_FIRST, score_cap=300),
    "latest": replace(CATEGORY, id="latest", operator=Operator.LATEST, score_cap=300),
}
ACTOR = Actor(None, "server")


class Book:
    """A ledger that is written by the rules of the service, and the scores it led to."""

    def __init__(self) -> None:
        self.entries: list[Transaction] = []
        self.rows: dict[Board, ScoreRow] = {}

    def write(self, category: Category, kind: Kind, amount: int, now: datetime) -> None:
        """The next entry; nothing when the rules do not allow it."""
        account = Account(ALICE, self.entries[-1].head if self.entries else Head(), self.rows)
        request = ScoreRequest(ALICE.id, category, kind, amount, ACTOR)
        if kind is Kind.ADJUSTMENT:
            try:
                request = replace(request, correction=adjustment(category, account, amount, now))
            except BadUserInput:
                return
        if kind is Kind.HELD:
            request = replace(request, correction={})
        if kind is Kind.REVERSAL:
            chain = [_past(entry) for entry in self.entries if entry.category_id == category.id]
            gone = {entry.request_key for entry in self.entries}
            open_ = [one for one in chain if one.kind is Kind.SERVER_ACTION and reversal_key(one.id) not in gone]
            if not open_:
                return
            past = open_[amount % len(open_)]
            correction = reversal(category, account, past, chain, now)
            request = replace(request, correction=correction, request_key=reversal_key(past.id))
        posting = post(request, account, now, UUID(int=len(self.entries) + 1))
        self.entries.append(posting.transaction)
        self.rows |= {one.board: one.row for one in posting.score_changes}


def _past(entry: Transaction) -> PriorTransaction:
    return PriorTransaction(
        entry.id,
        entry.user_id,
        entry.category_id,
        entry.kind,
        entry.points,
        entry.delta,
        entry.created_at,
        entry.request_key,
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(CATEGORIES)),
        st.sampled_from([Kind.SERVER_ACTION] * 4 + [Kind.HELD, Kind.ADJUSTMENT, Kind.REVERSAL]),
        st.integers(1, 120),
        st.sampled_from([1, 3600, 30_000, 86_400, 700_000]),
    ),
    max_size=40,
)


@given(STEPS)
def test_a_replay_gives_the_very_scores_that_the_ledger_was_written_with(steps: Sequence[tuple[str, Kind, int, int]]):
    book, now = Book(), NOW
    for category, kind, amount, seconds in steps:
        now += timedelta(seconds=seconds)
        book.write(CATEGORIES[category], kind, amount, now)
    replay = Rescoring(ALICE, CATEGORIES)
    for entry in book.entries:
        replay.add(entry)
    assert {one.board: one.row for one in replay.score_changes(hidden=False, deleted=False)} == book.rows


def test_a_hidden_user_is_hidden_on_every_board_and_a_deleted_one_has_nothing_left():
    book = Book()
    book.write(CATEGORIES["sum"], Kind.SERVER_ACTION, 10, NOW)
    replay = Rescoring(ALICE, CATEGORIES)
    for entry in book.entries:
        replay.add(entry)
    assert {(one.row.score, one.row.hidden) for one in replay.score_changes(hidden=True, deleted=False)} == {(10, True)}
    gone = list(replay.score_changes(hidden=False, deleted=True))
    assert {(one.row.score, one.sort_key, one.row.hidden) for one in gone} == {(0, 0, True)}


def test_the_ledger_is_right_where_the_cap_of_today_is_lower():
    book = Book()
    book.write(CATEGORIES["best"], Kind.SERVER_ACTION, 250, NOW)
    lowered = {**CATEGORIES, "best": replace(CATEGORIES["best"], score_cap=100)}
    replay = Rescoring(ALICE, lowered)
    replay.add(book.entries[0])
    all_time, *_ = replay.score_changes(hidden=False, deleted=False)
    assert all_time.row.score == 250
