"""Variables of an operation: coerced to what resolvers receive, and frozen to be compared."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from graphql import GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues, get_variable_values

from app.execution.refusal import BAD_USER_INPUT, Refusal


class Variables:
    """The variables one operation declares."""

    def __init__(self, schema: GraphQLSchema, definition: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = definition.variable_definitions or ()

    def coerce(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The coerced values by name; nullable ones that were not given and have no default are absent.

        Raises Refusal (BAD_USER_INPUT) naming the first variable that does not fit its type.
        """
        if not self._definitions:
            return {}
        return self.values(given).coerced

    def values(self, given: Mapping[str, Any] | None) -> VariableValues:
        """The same with the sources of each value, as graphql-core's own executor wants them."""
        values = get_variable_values(
            self._schema, self._definitions, dict(given or {}), max_errors=1, hide_suggestions=True
        )
        if isinstance(values, list):
            raise Refusal.because(values[0], BAD_USER_INPUT)
        return values


def frozen(value: Any) -> Hashable:
    """A hashable stand-in: equal for equal values of equal types, whatever the order of keys.

    Scalars carry their type because 1 == True == 1.0. A value that cannot be hashed equals only
    itself: that costs a cache hit, where a lossy stand-in would mix up two requests.
    """
    if isinstance(value, dict):
        return frozenset((name, frozen(member)) for name, member in value.items())
    if isinstance(value, list | tuple):
        return tuple(frozen(member) for member in value)
    try:
        hash(value)
    except TypeError:
        return _Identity(value)
    return value.__class__, value


class _Identity:
    """Equal to nothing but another wrapper of the very same object, which it keeps alive."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)
