"""Ids."""

from uuid import UUID, uuid4, uuid5

import pytest

from app.domain.canonical_uuid import canonical_uuid
from app.domain.users import SubjectIds

VICTIM = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")

SPELLINGS = [
    str(VICTIM),
    str(VICTIM).upper(),
    VICTIM.hex,
    f"{{{VICTIM}}}",
    VICTIM.urn,
    str(VICTIM).translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),
    f" {VICTIM}",
    f"{VICTIM}\n",
]


@pytest.mark.parametrize("subject", SPELLINGS)
def test_no_spelling_of_a_user_id_is_that_user(subject: str):
    assert SubjectIds("issuer").user_id(subject) != VICTIM


def test_a_subject_has_a_fixed_id_per_issuer():
    alice = SubjectIds("a").user_id("alice")
    assert alice == SubjectIds("a").user_id("alice")
    assert alice != SubjectIds("b").user_id("alice")
    assert alice.version == 5
    assert SubjectIds("a").user_id("").version == 5


def test_by_a_setting_the_canonical_spelling_of_a_uuid_is_the_id():
    ids = SubjectIds("issuer", subject_is_user_id=True)
    subject = uuid4()
    assert ids.user_id(str(subject)) == subject
    assert ids.user_id("alice") == SubjectIds("issuer").user_id("alice")


@pytest.mark.parametrize("subject", SPELLINGS[1:])
def test_even_then_no_other_spelling_is_the_id(subject: str):
    assert SubjectIds("issuer", subject_is_user_id=True).user_id(subject).version == 5


def test_even_then_nobody_can_name_the_id_of_another_subject():
    ids = SubjectIds("issuer", subject_is_user_id=True)
    alice = ids.user_id("alice")
    for subject in (alice, uuid5(alice, "x"), UUID(int=0)):
        assert ids.user_id(str(subject)) != subject


@pytest.mark.parametrize("text", [*SPELLINGS[1:], "", "x", "\ud800"])
def test_an_id_has_one_spelling(text: str):
    assert canonical_uuid(text) is None
    assert canonical_uuid(str(VICTIM)) == VICTIM
