"""Variables of an operation: coerced to what resolvers receive, and frozen to be compared."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLBoolean,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputType,
    GraphQLInt,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    VariableDefinitionNode,
    get_nullable_type,
    is_enum_type,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, get_variable_values

from app.execution.refusal import BAD_USER_INPUT, Refusal

_ABSENT = object()

# Inputs that are their own coerced value. The exact class counts: a bool is an int to isinstance.
_PLAIN: dict[GraphQLInputType, Callable[[Any], bool]] = {
    GraphQLString: lambda value: type(value) is str,
    GraphQLID: lambda value: type(value) is str,
    GraphQLBoolean: lambda value: type(value) is bool,
    GraphQLInt: lambda value: type(value) is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT,
    GraphQLFloat: lambda value: type(value) is float and isfinite(value),
}


class Variables:
    """The variables one operation declares."""

    def __init__(self, schema: GraphQLSchema, definition: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = definition.variable_definitions or ()
        self._simple = [_Simple.of(schema, node) for node in self._definitions]

    def coerce(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The coerced values by name; nullable ones that were not given and have no default are absent.

        Raises Refusal (BAD_USER_INPUT) naming the first variable that does not fit its type.
        """
        coerced = {}
        for variable in self._simple:
            if variable is None:
                return self.values(given).coerced
            value = given.get(variable.name, _ABSENT) if given else _ABSENT
            if value is _ABSENT:
                value = variable.default
                if value is _ABSENT and not variable.required:
                    continue
            elif value is None and not variable.required:
                pass
            elif variable.members is not None:
                value = variable.members.get(value, _ABSENT) if type(value) is str else _ABSENT
            elif not variable.fits(value):
                value = _ABSENT
            if value is _ABSENT:  # neither simple nor absent: an error, or worth a closer look
                return self.values(given).coerced
            coerced[variable.name] = value
        return coerced

    def values(self, given: Mapping[str, Any] | None) -> VariableValues:
        """The same with the sources of each value, as graphql-core's own executor wants them."""
        values = get_variable_values(
            self._schema, self._definitions, dict(given or {}), max_errors=1, hide_suggestions=True
        )
        if isinstance(values, list):
            raise Refusal.because(values[0], BAD_USER_INPUT)
        return values


@dataclass(frozen=True, slots=True)
class _Simple:
    """A variable of a built-in scalar or an enum, whose usual values need no more than a glance."""

    name: str
    required: bool
    fits: Callable[[Any], bool]
    members: dict[str, Any] | None
    default: Any

    @classmethod
    def of(cls, schema: GraphQLSchema, node: VariableDefinitionNode) -> _Simple | None:
        """The variable, or None when graphql-core has to look at every value of it."""
        signature = get_variable_signature(schema, node)
        if isinstance(signature, GraphQLError):
            return None
        type_ = get_nullable_type(signature.type)
        members = None
        if is_enum_type(type_):
            members = {name: type_.coerce_input_value(name) for name in type_.values}
        elif type_ not in _PLAIN:
            return None
        default = _ABSENT
        if node.default_value is not None:
            values = get_variable_values(schema, (node,), {}, hide_suggestions=True)
            if isinstance(values, list):
                return None
            default = values.coerced[signature.name]
        fits = _PLAIN.get(type_, lambda value: False)
        return cls(signature.name, is_non_null_type(signature.type), fits, members, default)


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
