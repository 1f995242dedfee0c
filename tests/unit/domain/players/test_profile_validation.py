"""Names and pictures from outside."""

import pytest

from app.domain.errors import BadUserInput
from app.domain.players.profile_validation import clean_avatar_url, clean_username


@pytest.mark.parametrize(
    "raw", ["alice", "Ålice", "李", "a b", "x" * 50, "😀", "<b>bold</b>", "'; DROP TABLE users --"]
)
def test_names_are_text_and_nothing_else(raw: str):
    assert clean_username(f" {raw} ") == raw


@pytest.mark.parametrize(
    "raw", ["", "   ", "x" * 51, "a\nb", "a\x00b", "a\x1b[31mb", "\u202eevil", "a\u200bb", "\ud800", "a\u2028b"]
)
def test_names_that_could_deceive_are_refused(raw: str):
    with pytest.raises(BadUserInput):
        clean_username(raw)


@pytest.mark.parametrize(
    "raw", [None, "javascript:alert(1)", "data:image/png,", "https://x/" + "a" * 500, "https://x/\n"]
)
def test_a_picture_that_is_no_web_address_is_dropped(raw: str | None):
    assert clean_avatar_url(raw) is None


def test_a_web_address_is_a_picture():
    assert clean_avatar_url("https://example.org/a.png") == "https://example.org/a.png"
