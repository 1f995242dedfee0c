"""Projections: selections of attributes alone, generated as Python source and compiled.

A projection turns a value into its part of the response, or raises any exception when the value is not exactly as its
type says. Its only side effect is reading attributes, so that graphql-core can complete the same value afterwards, with
the right errors at the right paths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from keyword import iskeyword
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from app.execution._upstream import FieldDetailsList, get_strawberry_type_cast, optimized_is_awaitable
from app.execution.compiler.field_collection import FieldCollector, SelectedField, UnsupportedSelection
from app.execution.compiler.resolver import is_attribute
from app.execution.compiler.type_resolution import classes_of, variants_of
from app.execution.integers import integers_of

Project = Callable[[Any], Any]

# Conditions under which a value is its own output. They test the exact class: a bool is an int to isinstance, and a
# subclass may serialise differently.
INLINE_CONDITIONS: dict[GraphQLLeafType, str] = {
    GraphQLString: "type({0}) is str",
    GraphQLID: "type({0}) is str",
    GraphQLBoolean: "type({0}) is bool",
    GraphQLFloat: "type({0}) is float and {0} - {0} == 0",  # neither infinite nor NaN
}

# Classes whose values are neither exceptions nor awaitables.
NEVER_AWAITABLE = frozenset({str, int, float, bool, dict, list, datetime, date, time, timedelta, Decimal, UUID})


class UnexpectedValue(Exception):
    """A value is not as its type says, or has an unusual form; graphql-core completes it."""


class Projector:
    """Compiles the projections of one operation."""

    def __init__(self, collector: FieldCollector) -> None:
        self._collector = collector
        self._plain: dict[tuple[str, int], bool] = {}

    def is_plain(self, type_: GraphQLOutputType, details: FieldDetailsList) -> bool:
        """Return whether a value of this type is completed by reading attributes alone."""
        named = get_named_type(type_)
        if is_leaf_type(named):
            return True
        key = (named.name, id(details))
        if key not in self._plain:
            possible = self._possible(named)
            self._plain[key] = all(
                self.is_plain_field(field)
                for object_type in possible
                for field in self._collector.subfields(object_type, details)
            )
        return self._plain[key]

    def is_plain_field(self, field: SelectedField) -> bool:
        """Return whether the field, with its subfields, is read from attributes alone."""
        return field.name == "__typename" or (
            is_attribute(field) and self.is_plain(field.definition.type, field.details)
        )

    def value(self, type_: GraphQLOutputType, details: FieldDetailsList) -> Project:
        """Compile the projection of a value of a plain type."""
        source = _ProjectionSource(self._collector)
        return source.compile("value", f"return {source.completion(type_, 'value', details)}")

    def attributes(self, fields: Sequence[SelectedField], plain: Sequence[SelectedField]) -> Project:
        """Compile a projection to a dict with the keys of all `fields`; the values of those not `plain` are None."""
        source = _ProjectionSource(self._collector)
        return source.compile("value", *source.body("value", fields, frozenset(map(id, plain))))

    def _possible(self, named: Any) -> Sequence[GraphQLObjectType]:
        return self._collector.schema.get_possible_types(named) if is_abstract_type(named) else (named,)


class _ProjectionSource:
    """The source of one projection and the objects it refers to."""

    def __init__(self, collector: FieldCollector) -> None:
        self._collector = collector
        self._names: dict[str, Any] = {"UnexpectedValue": UnexpectedValue}
        self._lines: list[str] = []
        self._serial = 0

    def compile(self, parameter: str, *body: str) -> Project:
        """Compile a function with this body."""
        self._define("project", parameter, body)
        # The source consists of numbered names, attribute names of Python classes and quoted keys only.
        exec(compile("\n".join(self._lines), "<projection>", "exec"), self._names)  # noqa: S102
        project: Project = self._names["project"]
        return project

    def body(self, value: str, fields: Sequence[SelectedField], plain: frozenset[int]) -> list[str]:
        """Return statements that return the dict of these fields of `value`."""
        lines, entries = [], []
        for field in fields:
            expression = "None"
            if field.name == "__typename":
                expression = repr(field.parent.name)
            elif id(field) in plain:
                local = self._fresh("v")
                lines.append(f"{local} = {value}.{_attribute(field)}")
                expression = self.completion(field.definition.type, local, field.details)
            entries.append(f"{field.key!r}: {expression}")
        return [*lines, f"return {{{', '.join(entries)}}}"]

    def completion(self, type_: GraphQLOutputType, value: str, details: FieldDetailsList) -> str:
        """Return an expression that completes the variable `value`."""
        if is_non_null_type(type_):
            return self._non_null(type_.of_type, value, details)
        return f"(None if {value} is None else {self._non_null(type_, value, details)})"

    def _non_null(self, type_: Any, value: str, details: FieldDetailsList) -> str:
        if is_list_type(type_):
            member = self._fresh("v")
            members = f"{value} if type({value}) is list else {self._bind(_members)}({value})"
            return f"[{self.completion(type_.of_type, member, details)} for {member} in ({members})]"
        if is_object_type(type_):
            return f"{self._object(type_, details)}({value})"
        if is_abstract_type(type_):
            return self._abstract(type_, value, details)
        return self._leaf(type_, value)

    def _leaf(self, type_: Any, value: str) -> str:
        coerce = f"{self._bind(output_coercion(type_))}({value})"
        if condition := _inline_condition(type_, value):
            return f"({value} if {condition} else {coerce})"
        if members := enum_outputs(type_):
            enum = self._bind(type_.wrapped_cls)
            return f"({self._bind(members)}[{value}] if type({value}) is {enum} else {coerce})"
        return coerce

    def _object(self, type_: GraphQLObjectType, details: FieldDetailsList) -> str:
        fields = self._collector.subfields(type_, details)
        classes = classes_of(type_)
        guard = (
            f"type(value) is not {self._bind(classes[0])}"
            if len(classes) == 1
            else f"type(value) not in {self._bind(classes)}"
        )
        if type_.is_type_of is not None:
            guard += f" or {self._bind(get_strawberry_type_cast)}(value) is not None"
        body = self.body("value", fields, frozenset(map(id, fields)))
        return self._define(self._fresh("object"), "value", [f"if {guard}:", "    raise UnexpectedValue", *body])

    def _abstract(self, type_: Any, value: str, details: FieldDetailsList) -> str:
        variants = variants_of(self._collector.schema, type_)
        entries = [f"{self._bind(cls)}: {self._object(each, details)}" for cls, each in variants.items()]
        table = self._fresh("variants")
        self._lines.append(f"{table} = {{{', '.join(entries)}}}")
        name = self._fresh("abstract")
        body = [
            f"if {self._bind(get_strawberry_type_cast)}(value) is not None:",
            "    raise UnexpectedValue",
            f"return {table}[type(value)](value)",
        ]
        return f"{self._define(name, 'value', body)}({value})"

    def _define(self, name: str, parameter: str, body: Sequence[str]) -> str:
        self._lines += [f"def {name}({parameter}):", *(f"    {line}" for line in body)]
        return name

    def _bind(self, value: Any) -> str:
        name = self._fresh("c")
        self._names[name] = value
        return name

    def _fresh(self, stem: str) -> str:
        self._serial += 1
        return f"{stem}{self._serial}"


def _members(value: Any) -> tuple[Any, ...]:
    """Return a tuple unchanged, and refuse other iterables, which may be iterable only once."""
    if type(value) is not tuple:
        raise UnexpectedValue
    return value


def _inline_condition(type_: GraphQLLeafType, value: str) -> str | None:
    """Return the condition under which the variable `value` is its own output; None where there is none."""
    if integers := integers_of(type_):
        return f"type({value}) is int and {integers[0]} <= {value} <= {integers[1]}"
    condition = INLINE_CONDITIONS.get(type_)
    return condition and condition.format(value)


def _attribute(field: SelectedField) -> str:
    assert field.strawberry is not None
    name = field.strawberry.python_name
    if not name.isidentifier() or iskeyword(name):
        raise UnsupportedSelection(name)
    return name


def output_coercion(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    """Return a function from a resolved value to its output. It raises any exception for an unexpected value."""
    coerce = leaf.coerce_output_value

    def output(value: Any) -> Any:
        if type(value) not in NEVER_AWAITABLE and (
            value is None or value is Undefined or isinstance(value, Exception) or optimized_is_awaitable(value)
        ):
            raise UnexpectedValue
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise UnexpectedValue
        return coerced

    return output


def enum_outputs(leaf: GraphQLLeafType) -> dict[Enum, str] | None:
    """Return the name of every member of the Python enum behind an enum type, or None without one."""
    enum: Any = getattr(leaf, "wrapped_cls", None)
    if not isinstance(leaf, GraphQLEnumType) or not (isinstance(enum, type) and issubclass(enum, Enum)):
        return None
    return {member: leaf.coerce_output_value(member) for member in enum}
