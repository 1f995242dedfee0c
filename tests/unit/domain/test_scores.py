"""Scores are written by the format of their category."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BadUserInput
from app.domain.scores import MAX_DIGITS, MAX_SCORE, ScoreFormat, ScoreFormatKind, parse_score_format
from tests.support.score_texts import SCORE_TEXTS

scores = st.integers(-MAX_SCORE, MAX_SCORE)


@pytest.mark.parametrize("example", SCORE_TEXTS, ids=lambda example: example["text"])
def test_a_score_is_written_in_its_format(example: dict[str, Any]):
    score_format = ScoreFormat.of_document(parse_score_format("scoreFormat", example["format"]))
    assert score_format.text(example["score"]) == example["text"]
    assert score_format.change_text(example["score"]) == example["change"]


@given(scores)
def test_a_whole_number_can_be_read_again(score: int):
    assert int(ScoreFormat().text(score).replace(",", "")) == score


@given(scores, st.integers(1, MAX_DIGITS))
def test_a_decimal_has_all_digits_of_the_score(score: int, digits: int):
    text = ScoreFormat(ScoreFormatKind.DECIMAL, digits).text(score)
    assert len(text.partition(".")[2]) == digits
    assert int(text.replace(",", "").replace(".", "")) == score


@given(scores)
def test_a_duration_can_be_read_again(score: int):
    text = ScoreFormat(ScoreFormatKind.DURATION_MS).text(abs(score))
    *clock, seconds = text.replace(",", "").split(":")
    milliseconds = int(seconds.replace(".", ""))
    for place, part in enumerate(reversed(clock), 1):
        milliseconds += int(part) * 60**place * 1000
        assert place == len(clock) or int(part) < 60
    assert milliseconds == abs(score)


@given(scores, st.sampled_from(ScoreFormatKind))
def test_the_text_of_a_negative_number_is_that_of_the_positive_one_with_a_sign(score: int, kind: ScoreFormatKind):
    score_format = ScoreFormat(kind, 2 if kind is ScoreFormatKind.DECIMAL else 0, "m")
    assert score_format.text(-abs(score) - 1) == f"-{score_format.text(abs(score) + 1)}"


@pytest.mark.parametrize(
    ("given_format", "problem"),
    [
        ("INTEGER", "must have a `kind`"),
        ({"kind": "INTEGER", "places": 2}, "must have a `kind`"),
        ({"unit": "m"}, "`scoreFormat.kind` must be one of INTEGER, DECIMAL, DURATION_MS"),
        ({"kind": ["INTEGER"]}, "`scoreFormat.kind` must be one of"),
        ({"kind": "DECIMAL"}, "`scoreFormat.digits` must be given for DECIMAL"),
        ({"kind": "INTEGER", "digits": 2}, "and for no other kind"),
        ({"kind": "DECIMAL", "digits": 0}, "from 1 to 15"),
        ({"kind": "DECIMAL", "digits": 16}, "from 1 to 15"),
        ({"kind": "DECIMAL", "digits": True}, "from 1 to 15"),
        ({"kind": "INTEGER", "unit": ""}, "`scoreFormat.unit` must be a text of 1 to 12"),
        ({"kind": "INTEGER", "unit": " m"}, "`scoreFormat.unit` must be"),
        ({"kind": "INTEGER", "unit": "m\n"}, "`scoreFormat.unit` must be"),
        ({"kind": "INTEGER", "unit": "x" * 13}, "`scoreFormat.unit` must be"),
        ({"kind": "INTEGER", "unit": 5}, "`scoreFormat.unit` must be"),
    ],
)
def test_an_invalid_format_is_refused(given_format: object, problem: str):
    with pytest.raises(BadUserInput, match=problem):
        parse_score_format("scoreFormat", given_format)
