"""Input objects: what a resolver receives is what Strawberry itself would have made."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import pytest
import strawberry
from strawberry.relay import GlobalID
from strawberry.scalars import JSON

from app.execution import Engine, RequestError


@strawberry.enum
class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


@strawberry.input
class Point:
    x: int
    y: int = 7
    label: str | None = strawberry.UNSET
    at: datetime | None = None


@strawberry.input
class Shape:
    centre: Point
    other_end: Point | None = None
    colour: Colour = Colour.RED
    facts: JSON | None = None
    renamed: int | None = strawberry.field(default=None, name="isCalled")
    note: str | None


@strawberry.input
class Tree:
    value: int
    left: Tree | None = None


@strawberry.input
class Listed:
    points: list[Point]


@strawberry.input
class Perhaps:
    word: strawberry.Maybe[str]


@strawberry.type
class Query:
    @strawberry.field
    def shape(self, shape: Shape, scale: int = 1) -> str:
        return f"{shape!r} {scale}"

    @strawberry.field
    def optional(self, shape: Shape | None = None) -> str:
        return repr(shape)

    @strawberry.field
    def unset(self, shape: Shape | None = strawberry.UNSET) -> str:
        return repr(shape)

    @strawberry.field
    def tree(self, tree: Tree) -> str:
        return repr(tree)

    @strawberry.field
    def listed(self, listed: Listed) -> str:
        return repr(listed)

    @strawberry.field
    def perhaps(self, perhaps: Perhaps) -> str:
        return repr(perhaps)

    @strawberry.field
    def global_id(self, id: GlobalID) -> str:
        return repr(id)


SCHEMA = strawberry.Schema(Query)
CENTRE = {"x": 1}


async def bodies(compile: bool, query: str, variables: dict[str, Any]) -> list[bytes]:
    engine = Engine(SCHEMA, compile=compile)
    operation = engine.prepare(query)
    answers = [engine.encode(await engine.execute(operation, variables, None)) for _ in range(4)]
    assert engine.executions.compiled == (3 if compile else 0)
    return answers


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query ($s: Shape!) { shape(shape: $s) }", {"s": {"centre": CENTRE}}),
        ("query ($s: Shape!, $n: Int) { shape(shape: $s, scale: $n) }", {"s": {"centre": CENTRE, "note": "n"}}),
        ("query ($s: Shape!, $n: Int!) { shape(shape: $s, scale: $n) }", {"s": {"centre": CENTRE}, "n": 3}),
        (
            "query ($s: Shape!) { shape(shape: $s) }",
            {
                "s": {
                    "centre": {"x": 1, "y": 2, "label": None, "at": "2030-01-01T00:00:00Z"},
                    "otherEnd": {"x": 3, "label": "end"},
                    "colour": "BLUE",
                    "facts": {"deep": [1, {"er": None}]},
                    "isCalled": 4,
                    "note": None,
                }
            },
        ),
        ("query ($s: Shape!) { shape(shape: $s) }", {"s": {"centre": CENTRE, "otherEnd": None, "facts": None}}),
        ("query ($s: Shape) { optional(shape: $s) }", {}),
        ("query ($s: Shape) { optional(shape: $s) }", {"s": None}),
        ("query ($s: Shape = {centre: {x: 9}}) { optional(shape: $s) unset(shape: $s) }", {}),
        ("query ($s: Shape) { unset(shape: $s) }", {}),
        ("query ($s: Shape) { unset(shape: $s) }", {"s": None}),
        ("query ($p: Point!) { shape(shape: {centre: $p, colour: BLUE}) }", {"p": {"x": 5}}),
        ("query ($x: Int!) { shape(shape: {centre: {x: $x}}) }", {"x": 5}),
        ("{ shape(shape: {centre: {x: 1, label: null}}) optional }", {}),
        ("query ($t: Tree!) { tree(tree: $t) }", {"t": {"value": 1, "left": {"value": 2}}}),
        ("query ($l: Listed!) { listed(listed: $l) }", {"l": {"points": [CENTRE, {"x": 2, "y": 3}]}}),
        ("query ($p: Perhaps!) { perhaps(perhaps: $p) }", {"p": {"word": "w"}}),
        ("query ($p: Perhaps!) { perhaps(perhaps: $p) }", {"p": {}}),
        ("query ($i: ID!) { globalId(id: $i) }", {"i": "QToxMg=="}),
        ("query ($i: ID!) { globalId(id: $i) }", {"i": "no id"}),
    ],
)
async def test_a_resolver_receives_what_strawberry_makes(query: str, variables: dict[str, Any]) -> None:
    assert await bodies(True, query, variables) == await bodies(False, query, variables)


@strawberry.input
class Leaves:
    word: str
    count: int = 7
    ratio: float | None = None
    colour: Colour = Colour.RED
    id: strawberry.ID | None = strawberry.UNSET
    at: datetime | None = None
    is_on: bool | None = strawberry.field(default=True, name="on")


@strawberry.type
class Sink:
    @strawberry.field
    def take(self, leaves: Leaves | None = None) -> str:
        return repr(leaves)


LEAVES = Engine(strawberry.Schema(Sink)).prepare("query ($l: Leaves) { take(leaves: $l) }")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"l": None},
        {"l": {"word": "w"}},
        {"l": {"word": "w", "count": 1, "ratio": 0.5, "colour": "BLUE", "id": "i", "on": False}},
        {"l": {"word": "w", "ratio": None, "id": None, "at": None, "on": None}},
        {"l": {"word": "w", "ratio": 2, "id": 3, "at": "2030-01-01T00:00:00Z"}},
        {"l": {"word": "w", "count": 2.0}},
        {"l": {"on": True, "word": "w"}},
    ],
)
def test_objects_of_leaves_are_coerced_as_graphql_core_does(given: dict[str, Any]) -> None:
    quick, slow = LEAVES.variables.coerce(given), LEAVES.variables.values(given).coerced
    assert (quick, repr(quick)) == (slow, repr(slow))


@pytest.mark.parametrize(
    "leaves",
    [
        {},
        {"word": None},
        {"word": 1},
        {"word": "w", "count": None},
        {"word": "w", "count": True},
        {"word": "w", "count": 2**31},
        {"word": "w", "colour": "GREEN"},
        {"word": "w", "colour": 1},
        {"word": "w", "ratio": "1"},
        {"word": "w", "other": 1},
        {"word": "w", "is_on": True},
        ["w"],
        "w",
    ],
)
def test_objects_that_do_not_fit_are_refused(leaves: Any) -> None:
    with pytest.raises(RequestError):
        LEAVES.variables.coerce({"l": leaves})


def test_an_object_of_leaves_belongs_to_its_execution_alone() -> None:
    first, second = (LEAVES.variables.coerce({"l": {"word": "w"}})["l"] for _ in range(2))
    assert first == second
    assert first is not second
