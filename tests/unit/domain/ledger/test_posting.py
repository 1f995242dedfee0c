"""From claims to postings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import Category, Operator, SortOrder
from app.domain.ledger.activity import Suspicion, Verdict
from app.domain.ledger.posting import boards_for, note, post
from app.domain.ledger.transactions import Actor, Kind
from tests.unit.domain.score_requests import ALICE, CATEGORY, NEW_ID, NOW, account, request, rows, scores_of

BEST_TIME = Category("race", "Race", 1000, sort_order=SortOrder.LOW_FIRST, operator=Operator.BEST)


def test_an_award_counts_on_every_open_board_of_its_category():
    posting = post(request(50), account(rows=rows(ALL_TIME=100, MONTHLY=10)), NOW, NEW_ID)
    assert scores_of(posting.score_changes) == {"ALL_TIME": 150, "DAILY": 50, "WEEKLY": 50, "MONTHLY": 60}
    assert (posting.transaction.delta, posting.transaction.score) == (50, 150)


@pytest.mark.parametrize(
    ("before", "points", "delta"), [(0, 1000, 1000), (950, 50, 50), (951, 50, 49), (999, 100, 1), (0, 5000, 1000)]
)
def test_an_award_is_cut_to_the_room_left_on_all_boards_alike(before: int, points: int, delta: int):
    posting = post(request(points), account(rows=rows(ALL_TIME=before) if before else {}), NOW, NEW_ID)
    assert posting.transaction.delta == delta
    assert posting.transaction.points == points
    assert scores_of(posting.score_changes) == {
        "ALL_TIME": before + delta, "DAILY": delta, "WEEKLY": delta, "MONTHLY": delta
    }  # fmt: skip


def test_a_held_claim_is_recorded_and_moves_nothing():
    held = request(50).held(Suspicion(Verdict.HOLD, ("too_fast",)))
    posting = post(held, account(rows=rows(ALL_TIME=100)), NOW, NEW_ID)
    entry = posting.transaction
    assert (entry.kind, entry.points, entry.delta, entry.score) == (Kind.HELD, 50, 0, 100)
    assert posting.score_changes == ()
    assert posting.suspicion == Suspicion(Verdict.HOLD, ("too_fast",))
    assert posting.receipt().held


def test_a_correction_moves_only_the_boards_it_names():
    all_time, _, weekly, _ = boards_for(CATEGORY, NOW)
    wish = request(-30, kind=Kind.ADJUSTMENT, action=None, correction={all_time: -30, weekly: -30})
    state = account(rows=rows(ALL_TIME=100, DAILY=50, WEEKLY=20, MONTHLY=60))
    posting = post(wish, state, NOW, NEW_ID)
    assert scores_of(posting.score_changes) == {"ALL_TIME": 70, "WEEKLY": 0}
    assert (posting.transaction.delta, posting.transaction.score) == (-30, 70)


def test_a_score_of_nothing_is_shown_nowhere_and_the_next_award_begins_anew():
    (all_time, *_) = boards_for(BEST_TIME, NOW)
    state = account(rows=rows(BEST_TIME, ALL_TIME=80))
    wish = request(-80, BEST_TIME, kind=Kind.REVERSAL, action=None, correction={all_time: -80})
    (gone,) = post(wish, state, NOW, NEW_ID).score_changes
    assert (gone.row.score, gone.row.hidden) == (0, True)
    again = post(request(90, BEST_TIME), account(rows={all_time: gone.row}), NOW, NEW_ID).score_changes[0]
    assert (again.row.score, again.row.hidden, again.row.revision) == (90, False, 3)


def test_a_hidden_users_award_counts_and_stays_hidden():
    posting = post(request(50), account(hidden=True), NOW, NEW_ID)
    assert {standing.row.hidden for standing in posting.score_changes} == {True}


def test_a_note_moves_nothing_and_continues_the_chain():
    first = post(request(50), account(), NOW, NEW_ID).transaction
    state = replace(account(), head=first.head)
    posting = note(Kind.HIDING, state, Actor(None, "moderator"), "why", NOW, NEW_ID, bytes(32))
    entry = posting.transaction
    assert (entry.category_id, entry.delta, entry.seq, entry.previous_hash) == (None, 0, 2, first.hash)
    assert posting.score_changes == ()


def changed(value: Any) -> Any:
    match value:
        case int() | bytes():
            return value * 2 + type(value)(1)
        case UUID():
            return UUID(int=value.int + 1)
        case Kind():
            return Kind.SERVER_ACTION
        case Actor():
            return replace(value, address="10.0.0.1")
        case str() | None:
            return f"{value}!" if value is not None else "something"
        case _:
            return value + timedelta(microseconds=1)


@pytest.mark.parametrize("name", [field.name for field in fields(post(request(), account(), NOW, NEW_ID).transaction)])
def test_every_part_of_a_transaction_is_in_its_hash(name: str):
    entry = post(request(), account(), NOW, NEW_ID).transaction
    value = getattr(entry, name)
    other = b"something" if value is None and name.endswith("_hash") else changed(value)
    assert replace(entry, **{name: other}).hash != entry.hash


@given(st.text(), st.text(), st.none() | st.text(), st.none() | st.binary())
def test_the_hash_can_be_worked_out_with_any_library(address: str, agent: str, reason: str | None, key: bytes | None):
    entry = post(request(), account(), NOW, NEW_ID).transaction
    entry = replace(entry, actor=Actor(None, "player", address, agent), reason=reason, request_hash=key)
    content = [
        str(entry.id), str(entry.user_id), entry.seq, entry.category_id, entry.action_id, str(entry.kind), entry.points,
        entry.delta, entry.score, entry.token_hash and entry.token_hash.hex(), entry.request_key,
        None if key is None else key.hex(), None, "player", address, agent, reason,
        round(entry.created_at.timestamp() * 1_000_000),
    ]  # fmt: skip
    canonical = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    assert entry.hash == hashlib.sha256(entry.previous_hash + canonical.encode()).digest()


def test_parts_do_not_run_into_each_other():
    entry = post(request(), account(), NOW, NEW_ID).transaction
    one = replace(entry, category_id="a", action_id="bc")
    assert one.hash != replace(entry, category_id="ab", action_id="c").hash


def test_an_all_time_score_is_kept_whatever_the_periods():
    category = replace(CATEGORY, periods=frozenset({Period.DAILY}))
    assert scores_of(post(request(5, category), account(), NOW, NEW_ID).score_changes) == {"ALL_TIME": 5, "DAILY": 5}
    assert ALICE.id == post(request(), account(), NOW, NEW_ID).profile.id
