"""Which scores become events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid4

import pytest

from app.domain.events.score_filter import ScoreFilter, score_filters_of
from app.domain.ids import uuid7
from app.domain.ledger.transactions import Actor, Kind, Transaction

ENTRY = Transaction(
    uuid4(), uuid4(), 1, "global", None, Kind.SERVER_ACTION, 10, -10, 90, None, None, None, Actor(None, "server"),
    None, datetime(2026, 11, 20, tzinfo=UTC), b"",
)  # fmt: skip


def test_losses_count_by_their_size() -> None:
    assert ScoreFilter(min_delta=10).accepts(ENTRY)
    assert not ScoreFilter(min_delta=11).accepts(ENTRY)


def test_a_sample_is_decided_by_the_transaction_alone() -> None:
    source = Random(7)
    ids: list[UUID] = [uuid7(ENTRY.created_at, source.randbytes) for _ in range(4000)]
    chosen = {one for one in ids if ScoreFilter(sample=0.25).accepts(replace(ENTRY, id=one))}
    assert chosen == {one for one in ids if ScoreFilter(sample=0.25).accepts(replace(ENTRY, id=one))}
    assert 800 < len(chosen) < 1200


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"global": {"sampel": 1}}, "global: must be an object with members of min_delta, min_score, sample"),
        ({"*": {"sample": 2}}, "`sample` must be a number from 0 to 1"),
        ({"*": {"min_delta": -1}}, "whole numbers from 0"),
        ({"*": 3}, "must be an object"),
    ],
)
def test_a_wrong_filter_is_named(content: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("*", r"\*")):
        score_filters_of(content)
