"""What leaves the process contains no secrets."""

import pytest

from app.telemetry.redaction import REDACTED, Redaction

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


@pytest.mark.parametrize(
    ("text", "remains"),
    [
        (f"token {JWT} refused", f"token {REDACTED} refused"),
        (f"cut off {JWT[:30]}", f"cut off {REDACTED}"),
        ("key lbk_c2VjcmV0 unknown", f"key {REDACTED} unknown"),
        ("authorization: Bearer abc.def", f"authorization: Bearer {REDACTED}"),
        ("postgresql://user:word@db/x", f"postgresql://{REDACTED}@db/x"),
        ("https://game.example/?a=b@c", "https://game.example/?a=b@c"),
        ("the eye of 14:30@noon", "the eye of 14:30@noon"),
    ],
)
def test_credentials_are_recognised_by_their_form(text: str, remains: str):
    assert Redaction().apply(text) == remains


def test_known_secrets_are_removed_also_as_they_are_in_json():
    redaction = Redaction(['quote"and\\backslash', "short"])
    assert redaction.apply('{"a":"quote\\"and\\\\backslash"}') == f'{{"a":"{REDACTED}"}}'
    assert redaction.apply("short words remain") == "short words remain"
