"""Names and pictures from outside."""

import unicodedata
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.players.names import MAX_MARKS, clean_avatar_url, clean_username, display_name, skeleton

USER = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")

WOMAN_ASTRONAUT = "\U0001f469\u200d\U0001f680"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "Zoë",
        "名無し",
        "علی\u200cرضا",
        "क्\u200dष",
        "O'Brien-Smith",
        WOMAN_ASTRONAUT,
        FAMILY,
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "Nguyễn Văn A",
        "สวัสดี",
        "x" * 50,
    ],
)
def test_a_good_name_stays_as_it_is(name: str):
    assert clean_username(f" {name} ") == name
    assert display_name(name, USER) == name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Ada\ufe0f", "Ada"),
        ("A\u034fda", "Ada"),
        ("\u202eAda", "Ada"),
        ("A\u200bd\u2060a\ufeff", "Ada"),
        ("Ada\u200d", "Ada"),
        ("A\u200cda", "Ada"),
        ("A\u200dda", "Ada"),
        ("A\u17b5da", "Ada"),
        ("Ada\n\tLovelace", "Ada Lovelace"),
        ("Ada \u2003 Lovelace", "Ada Lovelace"),
        ("A\x00\x1bda", "Ada"),
        ("A\ud800da", "Ada"),
        ("A\ue000da", "Ada"),
        ("e\u0301", "é"),
        ("\u0301Ada", "Ada"),
        ("x" * 51, "x" * 50),
    ],
)
def test_what_cannot_be_seen_or_disturbs_its_surroundings_is_removed(raw: str, shown: str):
    assert clean_username(raw) == shown


def test_marks_beyond_the_bound_are_removed():
    assert clean_username("q" + "\u0336" * 12 + "a") == "q" + "\u0336" * MAX_MARKS + "a"


@pytest.mark.parametrize(
    "raw",
    ["", " ", "\u3164", "\u2800", "\u17b5", "\ufe0f", "\u034f", "\u200d\u200c", "\ud800", "\u0301", "\u00ad", None, 7],
)
def test_a_name_of_which_nothing_is_seen_is_replaced(raw: object):
    assert display_name(raw, USER) == "Player 28950e"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("x" * 49 + WOMAN_ASTRONAUT, "x" * 49),
        ("x" * 49 + "q\u0336", "x" * 49),
        ("x" * 48 + "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "x" * 48 + "\U0001f1e9\U0001f1ea"),
        ("x" * 49 + "\U0001f1e9\U0001f1ea", "x" * 49),
        ("x" * 49 + "\U0001f44d\U0001f3fd", "x" * 49),
        ("x" * 49 + " y", "x" * 49),
    ],
)
def test_a_long_name_is_not_cut_within_what_is_seen_as_one_character(raw: str, shown: str):
    assert clean_username(raw) == shown


@pytest.mark.parametrize(
    "other",
    [
        "ADA",
        "ada",
        "Аda",
        "Adа",
        "Αda",
        "\uff21\uff44\uff41",
        "A\u200bda",
        "A d a",
        "\U0001d400da",
    ],
)
def test_names_that_look_alike_have_one_skeleton(other: str):
    assert skeleton(other) == skeleton("Ada")


@pytest.mark.parametrize(
    ("one", "two"), [("Bill", "BiII"), ("paypal", "раураl"), ("Tom", "Torn"), ("Bob", "B0b"), ("Ola", "0la")]
)
def test_the_classic_pairs_have_one_skeleton(one: str, two: str):
    assert skeleton(one) == skeleton(two)


@pytest.mark.parametrize(("one", "two"), [("Ada", "Eda"), ("Jose", "José"), ("user 0001", "user 0010"), ("名", "无")])
def test_other_names_have_different_skeletons(one: str, two: str):
    assert skeleton(one) != skeleton(two)


@given(st.text(max_size=120))
def test_every_text_gives_a_name_that_is_clean_and_short(raw: str):
    name = display_name(raw, USER)
    assert 1 <= len(name) <= 50
    assert name == name.strip() == unicodedata.normalize("NFC", name)
    assert clean_username(name) == name
    assert skeleton(name)
    name.encode()


@pytest.mark.parametrize(
    "raw",
    [
        "javascript:alert(1)",
        "https://" + "x" * 500,
        "https://exam ple.org",
        "https://x/\u202e",
        "ftp://x",
        "",
        None,
        7,
        ["https://x"],
    ],
)
def test_a_bad_picture_is_dropped(raw: object):
    assert clean_avatar_url(raw) is None


def test_a_picture_is_a_web_address():
    assert clean_avatar_url("https://example.org/a.png") == "https://example.org/a.png"
