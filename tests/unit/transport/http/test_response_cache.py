"""Answers are given again only while everything they rest on is the same."""

from __future__ import annotations

import pytest
import strawberry

from app.execution import Dependencies, Engine, Operation, Response
from app.transport.http.response_cache import ResponseCache


@strawberry.type
class Line:
    score: int

    @strawberry.field
    def luck(self) -> int:
        return 7


@strawberry.type
class Query:
    @strawberry.field(metadata={"cacheable": True})
    def top(self) -> Line:
        return Line(score=1)

    @strawberry.field(metadata={"cacheable": True, "viewer": True})
    def mine(self) -> Line:
        return Line(score=2)

    @strawberry.field
    def now(self) -> int:
        return 3


def prepared(document: str) -> Operation:
    return Engine(strawberry.Schema(Query)).prepare(document)


def answers(size: int = 100_000) -> ResponseCache:
    return ResponseCache(lambda dependencies: dependencies, size)


def result(**data: object) -> Response:
    return Response(data, [], has_data=True)


def grounds_of(*presents: object) -> tuple[list[object], Dependencies]:
    """A list of what there is now, and grounds that rest on each part of it."""
    now = list(presents)
    dependencies = Dependencies()
    for index in range(len(now)):
        dependencies.add(lambda index=index: now[index])
    return now, dependencies


def test_an_answer_is_given_again_while_its_grounds_hold() -> None:
    kept, (_, dependencies) = answers(), grounds_of(object())
    kept.put("key", result(top=1), b"body", dependencies)
    assert kept.get("key") == b"body"
    assert kept.hits == 1


def test_an_answer_ends_when_anything_it_rests_on_is_replaced_even_by_an_equal() -> None:
    kept, (now, dependencies) = answers(), grounds_of("page", [1])
    kept.put("key", result(a=1, b=2), b"body", dependencies)
    now[1] = [1]
    assert kept.get("key") is None


def test_an_answer_rests_while_nobody_knows_the_present() -> None:
    page = object()
    kept, (now, dependencies) = answers(), grounds_of(page)
    kept.put("key", result(a=1), b"body", dependencies)
    now[0] = None
    assert kept.get("key") is None
    now[0] = page
    assert kept.get("key") == b"body"


def test_what_was_not_known_when_it_was_read_is_not_kept() -> None:
    kept, (_, dependencies) = answers(), grounds_of(None)
    kept.put("key", result(a=1), b"body", dependencies)
    assert kept.get("key") is None


def test_a_result_is_not_kept_when_one_of_its_fields_was_silent_about_its_grounds() -> None:
    kept, (_, dependencies) = answers(), grounds_of(object())
    kept.put("key", result(a=1, silent=2), b"body", dependencies)
    assert kept.get("key") is None


def test_failures_are_not_kept() -> None:
    kept, (_, dependencies) = answers(), grounds_of(object())
    kept.put("key", Response(None, [], has_data=True), b"body", dependencies)
    assert kept.get("key") is None


def test_the_answers_used_longest_ago_make_room() -> None:
    kept, (_, dependencies) = answers(size=2100), grounds_of(object())
    for key in ("a", "b", "c"):
        kept.put(key, result(a=1), b"body", dependencies)
    assert [kept.get(key) for key in ("a", "b", "c")] == [None, b"body", b"body"]


@pytest.mark.parametrize(
    ("document", "cacheable"),
    [
        ("{ top { score } }", True),
        ("{ a: top { ...F } } fragment F on Line { score }", True),
        ("{ top { score luck } }", False),
        ("{ top { ...F } } fragment F on Line { luck }", False),
        ("{ top { score } now }", False),
        ("{ mine { score } }", False),
        ("query ($no: Boolean = false) { top { score } mine @include(if: $no) { score } }", False),
    ],
)
def test_only_queries_whose_every_resolver_names_its_dependencies_and_none_the_viewer_are_cacheable(
    document: str, cacheable: bool
) -> None:
    assert prepared(document).cacheable is cacheable
