"""Reasons."""

import pytest

from app.domain.errors import BadUserInput
from app.domain.texts import clean_reason


@pytest.mark.parametrize("raw", ["", "  ", "x" * 501, "a\x00b", "a\nb", "\u202egnidaelsim"])
def test_a_reason_is_plain_text(raw: str):
    with pytest.raises(BadUserInput):
        clean_reason(raw)


def test_a_reason_is_trimmed():
    assert clean_reason("  Aimbot, video of 3 May  ") == "Aimbot, video of 3 May"
