"""Selections of nothing but attributes, written as Python source and compiled.

A projection turns a value into its part of the response, or raises (anything) when the value is not
exactly as its type says. It has no side effects but reading attributes, so that whoever calls it can
then have graphql-core complete the same value, with the right errors at the right paths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from keyword import iskeyword
from typing import Any

from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from app.execution._upstream import FieldDetailsList
from app.execution.compiler.field_collection import FieldCollector, SelectedField, Unsupported
from app.execution.compiler.resolver import is_attribute
from app.execution.compiler.scalars import INLINE_CONDITIONS, UnexpectedValue, enum_outputs, output_coercion
from app.execution.compiler.type_resolution import classes_of, is_cast, variants_of

Project = Callable[[Any], Any]


class Projector:
    """Compiles the projections of one operation."""

    def __init__(self, collector: FieldCollector) -> None:
        self._collector = collector
        self._plain: dict[tuple[str, int], bool] = {}

    def is_plain(self, type_: GraphQLOutputType, details: FieldDetailsList) -> bool:
        """Whether a value of this type is completed by reading attributes alone."""
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
        """Whether the field, with all that is selected below it, is read from attributes alone."""
        return field.name == "__typename" or (
            is_attribute(field) and self.is_plain(field.definition.type, field.details)
        )

    def value(self, type_: GraphQLOutputType, details: FieldDetailsList) -> Project:
        """The projection of a value of a plain type."""
        source = _ProjectionSource(self._collector)
        return source.compiled("value", f"return {source.completed(type_, 'value', details)}")

    def attributes(self, fields: Sequence[SelectedField], plain: Sequence[SelectedField]) -> Project:
        """A projection to a dict with the keys of all `fields` in order, those that are not `plain` None."""
        source = _ProjectionSource(self._collector)
        return source.compiled("value", *source.body("value", fields, frozenset(map(id, plain))))

    def _possible(self, named: Any) -> Sequence[GraphQLObjectType]:
        return self._collector.schema.get_possible_types(named) if is_abstract_type(named) else (named,)


class _ProjectionSource:
    """The source of one projection and the objects it refers to."""

    def __init__(self, collector: FieldCollector) -> None:
        self._collector = collector
        self._names: dict[str, Any] = {"UnexpectedValue": UnexpectedValue}
        self._lines: list[str] = []
        self._serial = 0

    def compiled(self, parameter: str, *body: str) -> Project:
        self._define("project", parameter, body)
        # The source is made of numbered names, attribute names of Python classes and quoted keys.
        exec(compile("\n".join(self._lines), "<projection>", "exec"), self._names)  # noqa: S102
        project: Project = self._names["project"]
        return project

    def body(self, value: str, fields: Sequence[SelectedField], plain: frozenset[int]) -> list[str]:
        """Statements that return the dict of these fields of `value`."""
        lines, entries = [], []
        for field in fields:
            expression = "None"
            if field.name == "__typename":
                expression = repr(field.parent.name)
            elif id(field) in plain:
                local = self._fresh("v")
                lines.append(f"{local} = {value}.{_attribute(field)}")
                expression = self.completed(field.definition.type, local, field.details)
            entries.append(f"{field.key!r}: {expression}")
        return [*lines, f"return {{{', '.join(entries)}}}"]

    def completed(self, type_: GraphQLOutputType, value: str, details: FieldDetailsList) -> str:
        """An expression that completes what the variable `value` holds."""
        if is_non_null_type(type_):
            return self._non_null(type_.of_type, value, details)
        return f"(None if {value} is None else {self._non_null(type_, value, details)})"

    def _non_null(self, type_: Any, value: str, details: FieldDetailsList) -> str:
        if is_list_type(type_):
            member = self._fresh("v")
            members = f"{value} if type({value}) is list else {self._bind(_members)}({value})"
            return f"[{self.completed(type_.of_type, member, details)} for {member} in ({members})]"
        if is_object_type(type_):
            return f"{self._object(type_, details)}({value})"
        if is_abstract_type(type_):
            return self._abstract(type_, value, details)
        return self._leaf(type_, value)

    def _leaf(self, type_: Any, value: str) -> str:
        coerce = f"{self._bind(output_coercion(type_))}({value})"
        if type_ in INLINE_CONDITIONS:
            return f"({value} if {INLINE_CONDITIONS[type_].format(value)} else {coerce})"
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
            guard += f" or {self._bind(is_cast)}(value)"
        body = self.body("value", fields, frozenset(map(id, fields)))
        return self._define(self._fresh("object"), "value", [f"if {guard}:", "    raise UnexpectedValue", *body])

    def _abstract(self, type_: Any, value: str, details: FieldDetailsList) -> str:
        variants = variants_of(self._collector.schema, type_)
        entries = [f"{self._bind(cls)}: {self._object(each, details)}" for cls, each in variants.items()]
        table = self._fresh("variants")
        self._lines.append(f"{table} = {{{', '.join(entries)}}}")
        name = self._fresh("abstract")
        body = [f"if {self._bind(is_cast)}(value):", "    raise UnexpectedValue", f"return {table}[type(value)](value)"]
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
    """A tuple as it is. Any other iterable might be readable only once, and graphql-core may have to."""
    if type(value) is not tuple:
        raise UnexpectedValue
    return value


def _attribute(field: SelectedField) -> str:
    assert field.strawberry is not None
    name = field.strawberry.python_name
    if not name.isidentifier() or iskeyword(name):
        raise Unsupported(name)
    return name
