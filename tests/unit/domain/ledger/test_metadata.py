"""Metadata of transactions: what is accepted, and the times by which entries find it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from app.domain.boards.periods import Period
from app.domain.errors import BadUserInput
from app.domain.ledger.metadata import MetadataRow, metadata_of
from app.domain.ledger.posting import post
from tests.unit.domain.score_requests import NEW_ID, NOW, account, request, rows


@pytest.mark.parametrize(
    "value",
    ["text", 0, 1.5, False, [], {}, {"replay": "https://replays/1"}, "x" * 1022, "\u0000", [[[[[[[[]]]]]]]], 2**53 - 1],
)
def test_metadata_is_any_json(value: Any):
    ((period, text),) = metadata_of(value)
    assert (period, json.loads(text)) == (None, value)


def test_null_is_no_metadata():
    assert metadata_of(None) == ()


@pytest.mark.parametrize(
    "value",
    ["x" * 1023, "ä" * 512, [[[[[[[[[]]]]]]]]], 2**53, {"a": [-(2**53)]}, float("nan"), float("inf"), "\ud800"],
)
def test_what_not_every_reader_could_show_is_refused(value: Any):
    with pytest.raises(BadUserInput):
        metadata_of(value)


def test_the_metadata_of_a_posting_is_found_by_its_time():
    posting = post(request(metadata=metadata_of("replay")), account(), NOW, NEW_ID)
    assert posting.metadata_rows == (MetadataRow(NOW, None, '"replay"'),)


def test_a_transaction_is_later_than_the_scores_that_it_changes_even_if_a_clock_was_ahead():
    later = NOW + timedelta(seconds=1)
    state = account(rows=rows(ALL_TIME=10, DAILY=10, WEEKLY=10, MONTHLY=10, reached_at=later))
    posting = post(request(metadata=((None, "1"),)), state, NOW, NEW_ID)
    reached = {change.row.reached_at for change in posting.score_changes}
    assert reached == {later + timedelta(microseconds=1)} == {posting.transaction.created_at}
    assert {row.reached_at for row in posting.metadata_rows} == reached


def test_metadata_of_single_periods_stays_with_them():
    given = ((Period.ALL_TIME, "1"), (Period.DAILY, "2"))
    posting = post(request(metadata=given), account(), NOW, NEW_ID)
    assert posting.metadata_rows == (MetadataRow(NOW, Period.ALL_TIME, "1"), MetadataRow(NOW, Period.DAILY, "2"))


def test_a_posting_without_metadata_has_no_rows():
    assert post(request(), account(), NOW, NEW_ID).metadata_rows == ()
