"""Claims are found by paths, however their names are written."""

from typing import Any

import pytest

from app.domain.identity.claim_mapping import MISSING, ClaimMapping, claim_at
from app.domain.users import Role

CLAIMS: dict[str, Any] = {
    "role": "authenticated",
    "realm_access": {"roles": ["admin"]},
    "https://example.com/roles": ["chief"],
    "https://example.com/claims": {"x-role": "editor", "a.b": {"c": "deep"}},
    "resource_access": {"my.client.v2": {"roles": ["reporter"]}},
    "a": {"b": {"c": 1}},
    "a.b": {"d": 2},
    "a.b.c": 3,
    "null": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("role", "authenticated"),
        ("realm_access.roles", ["admin"]),
        ("https://example.com/roles", ["chief"]),
        ("https://example.com/claims.x-role", "editor"),
        ("https://example.com/claims.a.b.c", "deep"),
        ("resource_access.my.client.v2.roles", ["reporter"]),
        ("a.b.c", 3),
        ("a.b.d", 2),
        ("null", None),
        ("null.x", MISSING),
        ("role.x", MISSING),
        ("realm_access.", MISSING),
        (".roles", MISSING),
        ("a.b.e", MISSING),
        ("other", MISSING),
    ],
)
def test_the_longest_name_that_exists_is_taken_at_each_step(path: str, found: object):
    assert claim_at(CLAIMS, path) == found


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({}, Role.PLAYER),
        ({"role": "authenticated"}, Role.PLAYER),
        ({"role": "server"}, Role.SERVER),
        ({"role": ["player", "server"]}, Role.SERVER),
        ({"role": ["server", "moderator"]}, Role.MODERATOR),
        ({"role": "x", "scope": "openid moderator"}, Role.MODERATOR),
        ({"role": "openid moderator"}, Role.PLAYER),
        ({"role": {"moderator": True}}, Role.PLAYER),
        ({"role": [["moderator"]]}, Role.PLAYER),
        ({"role": 1, "scope": None}, Role.PLAYER),
    ],
)
def test_unknown_roles_mean_nothing_and_the_highest_known_one_is_taken(claims: dict[str, Any], role: Role):
    assert ClaimMapping(role=("role", "scope")).role_of(claims) is role


def test_with_a_mapping_our_own_words_mean_nothing_unless_they_are_in_it():
    mapping = ClaimMapping(roles={"chief": Role.MODERATOR})
    assert mapping.role_of({"role": "chief"}) is Role.MODERATOR
    assert mapping.role_of({"role": "moderator"}) is Role.PLAYER


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"username": "Ada", "name": "A"}, "Ada"),
        ({"username": "", "name": "Ada"}, "Ada"),
        ({"username": 7, "nickname": ["x"], "name": "Ada"}, "Ada"),
        ({"username": "\u3164", "preferred_username": "ada"}, "ada"),
        ({"preferred_username": "ada@example.com"}, "ada"),
        ({"username": "Ada @ home"}, "Ada @ home"),
        ({}, "subject"),
        ({"username": ""}, None),
    ],
)
def test_the_first_name_that_can_be_shown_is_taken_and_no_email_address(claims: dict[str, Any], name: str | None):
    assert ClaimMapping().username_of(claims, "subject") == name


@pytest.mark.parametrize("role", Role)
def test_claims_that_are_made_for_a_mapping_are_read_by_it(role: Role):
    mapping = ClaimMapping(
        ("user_metadata.name",), ("picture",), ("realm_access.roles",), {"m": Role.MODERATOR, "s": Role.SERVER}
    )
    claims = mapping.claims_for("ada", role)
    assert (mapping.username_of(claims, "x"), mapping.role_of(claims)) == ("ada", role)
