"""Idempotency keys."""

import pytest

from app.domain.errors import BadUserInput
from app.domain.ledger.idempotency import clean_key, content_hash


@pytest.mark.parametrize("raw", ["", "x" * 101, "\ud800"])
def test_a_key_is_plain_text(raw: str):
    with pytest.raises(BadUserInput):
        clean_key(raw)


def test_a_key_is_trimmed():
    assert clean_key(" 17 ") == "17"


def test_contents_that_differ_have_different_hashes():
    assert (
        len(
            {
                content_hash("a", "b"),
                content_hash("ab", ""),
                content_hash("ab", None),
                content_hash(1),
                content_hash("1"),
            }
        )
        == 5
    )
