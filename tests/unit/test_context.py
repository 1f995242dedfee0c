"""Resolvers reach services, and no store."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints
from uuid import uuid4

import pytest

from app.context import Context, Services
from app.domain.errors import Forbidden, Unauthenticated
from app.domain.users import Caller, Role

RESOLVERS = Path(__file__).parents[2] / "app" / "resolvers"
PRIVATE_NAMES_OF_LIBRARIES = {"_raw_info"}


def private_names_read(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
            continue
        own = isinstance(node.value, ast.Name) and node.value.id == "self"
        if not own and node.attr not in PRIVATE_NAMES_OF_LIBRARIES:
            yield node.attr


def test_a_resolver_is_given_services_the_clock_and_the_ids_of_subjects_only():
    modules = {name: kind.__module__ for name, kind in get_type_hints(Services).items()}
    others = {name: module for name, module in modules.items() if not module.startswith("app.services.")}
    assert others == {"clock": "collections.abc", "subject_ids": "app.domain.users"}


def test_no_resolver_reads_a_private_attribute_of_a_service():
    found = {file.name: list(private_names_read(file.read_text())) for file in RESOLVERS.glob("*.py")}
    assert {name: attributes for name, attributes in found.items() if attributes} == {}


def test_a_read_of_a_private_attribute_would_be_found():
    assert list(private_names_read("services.hub._broadcast.publish()")) == ["_broadcast"]


def context(caller: Caller | None) -> Context:
    return Context(services=None, caller=caller)  # type: ignore[arg-type]


def test_an_anonymous_request_has_no_caller_and_no_role():
    with pytest.raises(Unauthenticated):
        context(None).require_caller()
    with pytest.raises(Unauthenticated):
        context(None).require_role(Role.PLAYER)


def test_a_caller_with_another_role_is_refused():
    player = Caller(uuid4(), "alice", None, Role.PLAYER, 0)
    assert context(player).require_role(Role.SERVER, Role.PLAYER) is player
    with pytest.raises(Forbidden):
        context(player).require_role(Role.MODERATOR)
