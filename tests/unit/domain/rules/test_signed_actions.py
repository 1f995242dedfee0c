"""Signed actions: the canonical form, the signature, the time."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from app.domain.rules.signed_actions import SignedAction, is_signed_by, sign

AT = datetime(2026, 11, 20, 10, 0, 0, 123_456, tzinfo=UTC)
ACTION = SignedAction(UUID(int=1), UUID(int=2), "COMPLETE_LEVEL", None, AT)
SECRET = "a secret"


def test_the_canonical_form_is_the_documented_one():
    assert ACTION.canonical == (
        "leaderboard-signed-action-v1\n"
        "00000000-0000-0000-0000-000000000001\n"
        "00000000-0000-0000-0000-000000000002\n"
        "COMPLETE_LEVEL\n"
        "\n"
        "1795168800123"
    )


def test_the_signature_is_what_any_library_makes_of_it():
    expected = hmac.new(SECRET.encode(), ACTION.canonical.encode(), hashlib.sha256).hexdigest()
    assert sign(SECRET, ACTION) == expected
    assert is_signed_by(SECRET, ACTION, expected)


def test_the_zone_in_which_the_time_is_told_changes_nothing():
    elsewhere = replace(ACTION, timestamp=AT.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert sign(SECRET, elsewhere) == sign(SECRET, ACTION)


@pytest.mark.parametrize(
    "other",
    [
        replace(ACTION, key_id=UUID(int=3)),
        replace(ACTION, action_id=UUID(int=3)),
        replace(ACTION, action_type="COMPLETE_MISSION"),
        replace(ACTION, difficulty="hard"),
        replace(ACTION, timestamp=AT + timedelta(milliseconds=1)),
    ],
)
def test_whatever_is_changed_breaks_the_signature(other: SignedAction):
    assert not is_signed_by(SECRET, other, sign(SECRET, ACTION))


@pytest.mark.parametrize(
    "signature", ["", "0" * 64, sign(SECRET, ACTION).upper(), sign("other", ACTION), "\ud800", "ä"]
)
def test_other_signatures_are_refused(signature: str):
    assert not is_signed_by(SECRET, ACTION, signature)


@pytest.mark.parametrize(
    ("seconds", "stale"), [(0, False), (300, False), (300.001, True), (-300, False), (-300.001, True)]
)
def test_a_timestamp_is_stale_after_five_minutes_either_way(seconds: float, stale: bool):
    assert ACTION.is_stale(AT + timedelta(seconds=seconds)) is stale
