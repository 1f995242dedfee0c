"""Poisonous values for every argument of a schema, in variables and in documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
    is_required_argument,
)

from tests.support.graphql.input_objects import fields_to_give

UNHOLDABLE = {
    "null character": r'"a\u0000b"',
    "unpaired surrogate": r'"\ud800"',
    "infinity": "1e999",
    "minus infinity": "-1e999",
    "huge integer": "1" + "0" * 400,
    "integer of 5000 digits": "9" * 5000,
    "deep list": "[" * 100 + "]" * 100,
}
"""Written the same in JSON and in GraphQL. No argument of any type takes them."""

UNHOLDABLE_JSON = {
    "null character in a list": r'["\u0000"]',
    "null character in an object": r'{"a": {"b": "\u0000"}}',
    "null character in a name": r'{"\u0000": 1}',
    "unpaired surrogate in a name": r'{"\udfff": 1}',
    "infinity in a list": "[1e999]",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "deeper list": "[" * 2000 + "]" * 2000,
    "deep object": '{"a":' * 100 + "1" + "}" * 100,
}
"""As JSON only."""

_SHAPES = {"null": "null", "true": "true", "list": "[]", "list of null": "[null]", "object": "{}"}
_TEXTS = {
    "empty": '""',
    "blank": '" "',
    "NaN as text": '"NaN"',
    "escape as text": r'"\\u0000"',
    "last code point": r'"\udbff\udfff"',
    "noncharacter": r'"\uffff"',
    "right to left": r'"\u202eabc"',
    "control": r'"\u0001\u001f"',
    "digits": '"' + "9" * 5000 + '"',
    "long": '"' + "x" * 20_000 + '"',
}
_IDS = {
    "nil UUID": '"00000000-0000-0000-0000-000000000000"',
    "last UUID": '"ffffffff-ffff-ffff-ffff-ffffffffffff"',
    "no braces": '"{}"',
    "full-width UUID": '"' + "１" * 32 + '"',
    "number": "9007199254740993",
}
_NUMBERS = {
    "zero": "0",
    "negative": "-1",
    "most of 32 bits": str(2**31 - 1),
    "least of 32 bits": str(-(2**31)),
    "more than 32 bits": str(2**31),
    "most of 53 bits": str(2**53 - 1),
    "more than 53 bits": str(2**53),
    "most of 63 bits": str(2**63 - 1),
    "most of 64 bits": str(2**64 - 1),
    "double": "1e308",
    "tiny": "-1e-320",
}
_INSTANTS = {
    "first instant": '"0001-01-01T00:00:00Z"',
    "before the first instant": '"0001-01-01T00:00:00+14:00"',
    "last instant": '"9999-12-31T23:59:59.999999Z"',
    "after the last instant": '"9999-12-31T23:59:59.999999-14:00"',
    "naive instant": '"2026-01-01T00:00:00"',
    "date": '"2026-01-01"',
    "second 60": '"2026-06-30T23:59:60Z"',
}
ODD = {
    "String": _SHAPES | _TEXTS,
    "ID": _SHAPES | _TEXTS | _IDS,
    "Int": _SHAPES | _NUMBERS,
    "Score": _SHAPES | _NUMBERS,
    "DateTime": _SHAPES | _INSTANTS | {"digits": _TEXTS["digits"]},
    "JSON": _SHAPES | _TEXTS | _NUMBERS,
}
"""By type: what is rare, and may be taken."""

_MARK = "@poison@"


class _Name(str):
    """An enum value, which is written without quotes in a document."""


@dataclass(frozen=True)
class Slot:
    """A place for a value: an argument, or a member of an input object that is an argument."""

    kind: str
    """query, mutation or subscription."""
    route: tuple[tuple[str, GraphQLField], ...]
    """The fields from the root to the field with the argument."""
    argument: str
    member: str | None = None
    known: dict[str, Any] = field(default_factory=dict, compare=False)
    """The values of required arguments and members, by name."""

    def __str__(self) -> str:
        path = ".".join([*(name for name, _ in self.route), self.argument, *filter(None, [self.member])])
        return f"{self.kind} {path}"

    @property
    def name(self) -> str:
        """The root field."""
        return self.route[0][0]

    @property
    def odd(self) -> dict[str, str]:
        """Invalid and extreme values for the type of this place, by name."""
        type_ = get_named_type(self.route[-1][1].args[self.argument].type)
        if self.member is not None:
            assert is_input_object_type(type_)
            type_ = get_named_type(type_.fields[self.member].type)
        return ODD.get(type_.name, _SHAPES)

    def by_variable(self, poison: str) -> bytes:
        """Return the body of a request with `poison`, as JSON, in the variable of the argument."""
        type_ = self.route[-1][1].args[self.argument].type
        query = f"{self.kind} P($value: {type_}) {self._selection('$value')}"
        variables = json.dumps({"query": query, "variables": {"value": self._value()}})
        return variables.replace(json.dumps(_MARK), poison).encode()

    def by_literal(self, poison: str) -> bytes:
        """Return the body of a request with `poison`, as GraphQL, in the document."""
        literal = _literal(self._value()).replace(json.dumps(_MARK), poison)
        return json.dumps({"query": f"{self.kind} P {self._selection(literal)}"}).encode()

    def _value(self) -> Any:
        if self.member is None:
            return _MARK
        type_ = get_nullable_type(self.route[-1][1].args[self.argument].type)
        return {**_required_members(type_, self.known), self.member: _MARK}

    def _selection(self, value: str) -> str:
        last = len(self.route) - 1
        text = "" if is_leaf_type(get_named_type(self.route[-1][1].type)) else "{ __typename }"
        for depth in range(last, -1, -1):
            name, definition = self.route[depth]
            given = {
                other: _literal(_usual(other, argument.type, self.known))
                for other, argument in definition.args.items()
                if is_required_argument(argument)
            }
            if depth == last:
                given[self.argument] = value
            arguments = ", ".join(f"{other}: {text_}" for other, text_ in given.items())
            text = f"{{ {name}{f'({arguments})' if arguments else ''} {text} }}"
        return text


def slots(schema: GraphQLSchema, known: dict[str, Any]) -> Iterator[Slot]:
    """Yield every argument of every reachable field, and every member of every input object."""
    for kind, root in (
        ("query", schema.query_type),
        ("mutation", schema.mutation_type),
        ("subscription", schema.subscription_type),
    ):
        assert root is not None
        for route in _routes(root, (), frozenset()):
            for name, argument in route[-1][1].args.items():
                yield from _slots_of(kind, route, name, argument, known)


def _slots_of(
    kind: str, route: tuple[tuple[str, GraphQLField], ...], name: str, argument: GraphQLArgument, known: dict[str, Any]
) -> Iterator[Slot]:
    yield Slot(kind, route, name, None, known)
    type_ = get_nullable_type(argument.type)
    if is_input_object_type(type_):
        for member in type_.fields:
            yield Slot(kind, route, name, member, known)


def _routes(
    type_: GraphQLObjectType, route: tuple[tuple[str, GraphQLField], ...], seen: frozenset[str]
) -> Iterator[tuple[tuple[str, GraphQLField], ...]]:
    for name, definition in type_.fields.items():
        longer = (*route, (name, definition))
        if definition.args:
            yield longer
        inner = get_named_type(definition.type)
        if is_object_type(inner) and inner.name not in seen:
            yield from _routes(inner, longer, seen | {inner.name})


def _usual(name: str, type_: GraphQLInputType, known: dict[str, Any]) -> Any:
    if name in known:
        return known[name]
    type_ = get_nullable_type(type_)
    if is_list_type(type_):
        return [_usual("userId", type_.of_type, known)]
    if is_enum_type(type_):
        return _Name(next(iter(type_.values)))
    if is_input_object_type(type_):
        return _required_members(type_, known)
    texts = {"String": f"text {uuid4()}", "ID": str(uuid4()), "DateTime": "2026-01-01T00:00:00Z"}
    return 1 if type_.name in ("Int", "Score") else texts[type_.name]


def _required_members(type_: Any, known: dict[str, Any]) -> dict[str, Any]:
    return {name: _usual(name, member.type, known) for name, member in fields_to_give(type_).items()}


def _literal(value: Any) -> str:
    if isinstance(value, _Name):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_literal(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value)
