"""The look-ups of an operation: how much work it asks of the stores, known before it is executed.

A field declares its look-ups in the metadata of its definition, `strawberry.field(metadata={"lookups": count})`, where
`count` is a function whose parameters have the names of those arguments of the resolver that matter. This module knows
how to find and call such functions, and nothing of what they count.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from app.execution._upstream import STRAWBERRY_DEFINITION
from app.execution.limits.list_sizes import SIZE_ARGUMENTS, list_size

LOOKUPS_METADATA = "lookups"
"""The `metadata` key of a Strawberry field: the function that returns the look-ups of the field from its arguments."""

REPEATS_METADATA = "repeats"
"""The `metadata` key of such a field that is a list: the argument whose length multiplies the look-ups below."""

CountLookups = Callable[..., int]

MAX_CACHED_COUNTS = 256
"""Combinations of variables whose counts are kept per operation."""

MAX_CACHED_STRING = 64
"""Characters of a variable up to which its counts are kept; an id or a time has fewer."""

PER_ELEMENT_METADATA = "per_element"
"""The `metadata` key of a Strawberry field that makes its look-ups for every element of the list that it is in."""

MAX_ELEMENTS = 100
"""The largest size of a list that is counted; resolvers refuse more."""

UNSIZED_LIST = 10
"""The size that is counted for a list which no argument sizes."""


class LookupField(NamedTuple):
    """A selected field that makes look-ups: its response keys from the root of the operation, definition and node.

    Two of them are equal when they are executed as one: validation makes sure that their arguments are the same.

    Attributes:
        path: The response keys.
        field: The definition.
        node: The node.
        sized_by: The nearest field around it whose arguments size a list, with its node; None if there is none.
    """

    path: tuple[str, ...]
    field: GraphQLField
    node: FieldNode
    sized_by: tuple[GraphQLField, FieldNode] | None = None

    def within(self, key: str, field: GraphQLField | None, node: FieldNode) -> LookupField:
        """Return the same field as a part of the selection of `field`, whose response key is `key`."""
        sized_by = self.sized_by
        if sized_by is None and field is not None and any(name in field.args for name in SIZE_ARGUMENTS):
            sized_by = field, node
        return self._replace(path=(key, *self.path), sized_by=sized_by)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LookupField) and self.path == other.path and self.field is other.field

    def __hash__(self) -> int:
        return hash(self.path)


def count_lookups_of(field: GraphQLField) -> CountLookups | None:
    """Return the function that counts the look-ups of a field; None if the field declares none."""
    count: CountLookups | None = _metadata_of(field).get(LOOKUPS_METADATA)
    return count


def _metadata_of(field: GraphQLField) -> Mapping[Any, Any]:
    definition = field.extensions.get(STRAWBERRY_DEFINITION)
    return definition.metadata if isinstance(definition, StrawberryField) else {}


def _is_above(path: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return len(path) < len(other) and other[: len(path)] == path


def is_per_element(field: GraphQLField) -> bool:
    """Return whether a field makes its look-ups for every element of the list that it is in."""
    return bool(_metadata_of(field).get(PER_ELEMENT_METADATA))


class OperationLookups:
    """Counts the look-ups of one operation for any variables."""

    def __init__(self, root_nodes: Sequence[FieldNode], fields: Sequence[LookupField]) -> None:
        """Prepare the count.

        Args:
            root_nodes: The root fields of the operation, one for each response key.
            fields: The fields that make look-ups.
        """
        self._root = [((node.alias or node.name).value, node.name.value) for node in root_nodes]
        self._counters = [_FieldCounter(one) for one in fields]
        for counter in self._counters:
            counter.lists = [one for one in self._counters if one.repeats and _is_above(one.path, counter.path)]
        self._variables = tuple(dict.fromkeys(name for counter in self._counters for name in counter.variables))
        self._cached: dict[tuple[Any, ...], tuple[tuple[str, int], ...]] = {}

    def count(self, coerced: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
        """Return the name and the look-ups of each root field, with all that is selected below it.

        Args:
            coerced: The coerced values of the variables.
        """
        try:
            key = tuple([coerced.get(name) for name in self._variables])
            cached = self._cached.get(key)
        except TypeError:  # A list or an object, which cannot be part of a key.
            return self._count(coerced)
        if cached is None:
            if any(isinstance(value, str) and len(value) > MAX_CACHED_STRING for value in key):
                return self._count(coerced)
            if len(self._cached) >= MAX_CACHED_COUNTS:
                self._cached.clear()
            cached = self._cached[key] = self._count(coerced)
        return cached

    def _count(self, coerced: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
        counts = {key: 0 for key, _ in self._root}
        for counter in self._counters:
            counts[counter.root_key] += counter.count_repeated(coerced)
        return tuple([(name, counts[key]) for key, name in self._root])


class _FieldCounter:
    """Counts the look-ups of one selected field."""

    def __init__(self, selected: LookupField) -> None:
        count = count_lookups_of(selected.field)
        assert count is not None
        self._function = count
        self._names = _argument_names(selected.field, count)
        self._field = selected.field
        self._node = selected.node
        self.path = selected.path
        self.root_key = selected.path[0]
        self.repeats: str | None = _metadata_of(selected.field).get(REPEATS_METADATA)
        self.lists: list[_FieldCounter] = []
        """The fields above that are lists and repeat this one."""
        self._is_per_element = is_per_element(selected.field)
        self._sized_by = selected.sized_by
        self.variables = tuple(_variables_of(selected.node, self._names.values()))
        """The variables that the count depends on."""
        if self._is_per_element and selected.sized_by is not None:
            self.variables += tuple(_variables_of(selected.sized_by[1], SIZE_ARGUMENTS))

    def count_repeated(self, coerced: Mapping[str, Any]) -> int:
        """Return the look-ups in all the places where lists above repeat the field."""
        lookups = self.count(coerced)
        for above in self.lists if lookups else ():
            lookups *= above.count_repetitions(coerced)
        return lookups

    def count_repetitions(self, coerced: Mapping[str, Any]) -> int:
        """Return how often the list repeats what is selected below it, at least 1."""
        try:
            return max(1, len(self._given(coerced).get(self.repeats or "", ())))
        except GraphQLError:
            return 1

    def count(self, coerced: Mapping[str, Any]) -> int:
        """Return the look-ups; 0 when an argument does not fit, because then the field is not resolved."""
        try:
            given = self._given(coerced)
            elements = self._count_elements(coerced) if self._is_per_element else 1
        except GraphQLError:
            return 0
        count = self._function(**{name: given.get(argument) for name, argument in self._names.items()})
        return max(0, count) * elements

    def _count_elements(self, coerced: Mapping[str, Any]) -> int:
        """Return how long the list around the field may be. Raises GraphQLError for an argument that does not fit."""
        if self._sized_by is None:
            return UNSIZED_LIST
        field, node = self._sized_by
        values = _argument_values(field, node, coerced)
        sizes = {
            name: len(value) if isinstance(value, list) else value
            for name in SIZE_ARGUMENTS
            if (value := values.get(name)) is not None
        }
        # A default does not count beside a given argument: `first` beside `last`.
        given = {argument.name.value for argument in node.arguments or ()} & sizes.keys()
        counted = given or sizes.keys()
        return max((list_size(name, sizes[name], MAX_ELEMENTS) for name in counted), default=UNSIZED_LIST)

    def _given(self, coerced: Mapping[str, Any]) -> dict[str, Any]:
        return _argument_values(self._field, self._node, coerced)


def _argument_values(field: GraphQLField, node: FieldNode, coerced: Mapping[str, Any]) -> dict[str, Any]:
    return get_argument_values(field, node, VariableValues({}, dict(coerced)))


def _argument_names(field: GraphQLField, count: CountLookups) -> dict[str, str]:
    """Return the names of the arguments in the schema by the names of the parameters of `count`.

    Raises:
        TypeError: The field has no such argument.
    """
    in_schema: dict[str, str] = {}
    for name, argument in field.args.items():
        definition = argument.extensions.get(STRAWBERRY_DEFINITION)
        in_schema[definition.python_name if isinstance(definition, StrawberryArgument) else name] = name
    try:
        return {name: in_schema[name] for name in _parameters(count)}
    except KeyError as missing:
        raise TypeError(f"`{count.__name__}` counts by an argument that the field does not have: {missing}") from None


@lru_cache(maxsize=256)
def _parameters(count: CountLookups) -> tuple[str, ...]:
    return tuple(inspect.signature(count).parameters)


def _variables_of(node: FieldNode, arguments: Iterable[str]) -> Iterator[str]:
    relevant = set(arguments)
    for argument in node.arguments or ():
        if argument.name.value in relevant:
            yield from _variables_in(argument.value)


def _variables_in(value: ValueNode) -> Iterator[str]:
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, VariableNode):
            yield node.name.value
        elif isinstance(node, ListValueNode):
            pending += node.values
        elif isinstance(node, ObjectValueNode):
            pending += [field.value for field in node.fields]
