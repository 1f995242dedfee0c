"""Ids."""

from uuid import UUID, uuid4

from app.domain.users import user_id_of


def test_a_subject_that_is_a_uuid_is_the_id():
    subject = uuid4()
    assert user_id_of("issuer", str(subject)) == subject


def test_any_other_subject_has_a_fixed_id_per_issuer():
    assert user_id_of("a", "alice") == user_id_of("a", "alice")
    assert user_id_of("a", "alice") != user_id_of("b", "alice")
    assert user_id_of("a", "alice").version == 5
    assert isinstance(user_id_of("a", ""), UUID)
