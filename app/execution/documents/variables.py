"""The variables of an operation: their coercion, and their use as part of a key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    GraphQLString,
    ListTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    TypeNode,
    Undefined,
    VariableDefinitionNode,
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_non_null_type,
)
from graphql.execution.values import get_variable_values

from app.execution._upstream import VariableValues, coerce_default_value, get_variable_signature
from app.execution.integers import integers_of
from app.execution.limits.storable_values import MAX_MEMBERS, count_members, find_value_problem
from app.execution.request_error import BAD_USER_INPUT, RequestError

_ABSENT = object()

# Conditions under which an input is its own coerced value. They test the exact class: a bool is an int to isinstance.
# Strings with unpaired surrogates do not get here: every transport decodes with orjson, which refuses them.
_IS_OWN_VALUE: dict[GraphQLInputType, Callable[[Any], bool]] = {
    GraphQLString: lambda value: type(value) is str and "\0" not in value,
    GraphQLID: lambda value: type(value) is str and "\0" not in value,
    GraphQLBoolean: lambda value: type(value) is bool,
    GraphQLFloat: lambda value: type(value) is float and isfinite(value),
}


class Variables:
    """The variables that one operation declares."""

    def __init__(self, schema: GraphQLSchema, definition: OperationDefinitionNode, max_list_size: int) -> None:
        """Prepare the coercion.

        Args:
            schema: The schema of the operation.
            definition: The operation.
            max_list_size: How many items a variable may have whose type is a list.
        """
        self._schema = schema
        self._max_list_size = max_list_size
        self._definitions = definition.variable_definitions or ()
        self._lists = {node.variable.name.value for node in self._definitions if _is_list(node.type)}
        self._compiled = [_CompiledVariable.of(schema, node) for node in self._definitions]

    def coerce(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the coerced values by name; nullable ones that were not given and have no default are absent.

        Raises RequestError (BAD_USER_INPUT) naming the first variable that does not fit its type.
        """
        coerced = {}
        for variable in self._compiled:
            if variable is None:
                return self.values(given).coerced
            value = given.get(variable.name, _ABSENT) if given else _ABSENT
            if value is _ABSENT:
                value = variable.default
                if value is _ABSENT and not variable.required:
                    continue
            elif value is None and not variable.required:
                pass
            else:
                value = variable.coerce(value)
            if value is _ABSENT:  # graphql-core decides whether this is an error
                return self.values(given).coerced
            coerced[variable.name] = value
        return coerced

    def values(self, given: Mapping[str, Any] | None) -> VariableValues:
        """Return the same with the sources of each value, as graphql-core's executor needs them."""
        self._check_sizes(given or {})
        for node in self._definitions:
            name = node.variable.name.value
            if given and (fault := find_value_problem(given.get(name))):
                raise RequestError.from_error(
                    GraphQLError(f"Variable '${name}' has an invalid value{fault}"), BAD_USER_INPUT
                )
        values = get_variable_values(
            self._schema, self._definitions, dict(given or {}), max_errors=1, hide_suggestions=True
        )
        if isinstance(values, list):
            raise RequestError.from_error(values[0], BAD_USER_INPUT)
        return values

    def _check_sizes(self, given: Mapping[str, Any]) -> None:
        """Raise RequestError for overlong lists and for too many values in all, before any of them is looked at."""
        members = 0
        for node in self._definitions:
            name = node.variable.name.value
            value = given.get(name)
            if name in self._lists and isinstance(value, list) and len(value) > self._max_list_size:
                reason = f"Variable '${name}' must have at most {self._max_list_size} items."
                raise RequestError.from_error(GraphQLError(reason), BAD_USER_INPUT)
            members += count_members(value, MAX_MEMBERS - members)
            if members > MAX_MEMBERS:
                reason = f"The variables must have at most {MAX_MEMBERS} items and members in all."
                raise RequestError.from_error(GraphQLError(reason), BAD_USER_INPUT)


def _is_list(type_: TypeNode) -> bool:
    return isinstance(type_.type if isinstance(type_, NonNullTypeNode) else type_, ListTypeNode)


CoerceInput = Callable[[Any], Any]
"""Coerces a value that is not None; returns `_ABSENT` where graphql-core has to decide."""


def _leaf_coercer(type_: Any) -> CoerceInput | None:
    """Return the coercion of common values of a nullable type, or None where graphql-core has to coerce all values."""
    if is_enum_type(type_):
        members = {name: type_.coerce_input_value(name) for name in type_.values}
        return lambda value: members.get(value, _ABSENT) if type(value) is str else _ABSENT
    if integers := integers_of(type_):
        least, greatest = integers
        return lambda value: value if type(value) is int and least <= value <= greatest else _ABSENT
    fits = _IS_OWN_VALUE.get(type_)
    return None if fits is None else lambda value: value if fits(value) else _ABSENT


def _object_coercer(type_: GraphQLInputObjectType) -> CoerceInput | None:
    """Return the coercion of an input object whose members are of such types, or not given."""
    if type_.is_one_of or type_.out_type is not GraphQLInputObjectType.out_type:
        return None
    members: list[_InputField] = []
    for name, field in type_.fields.items():
        member = _InputField.of(name, field)
        if member is None:
            return None
        members.append(member)

    def coerce(value: Any) -> Any:
        if type(value) is not dict:
            return _ABSENT
        coerced: dict[str, Any] = {}
        given = 0
        for member in members:
            item = value.get(member.name, _ABSENT)
            if item is _ABSENT:
                item = member.default
            else:
                given += 1
                if item is not None:
                    item = member.coerce(item) if member.coerce else _ABSENT
                    if item is _ABSENT:
                        return _ABSENT
            if item is not _ABSENT and not (item is None and member.required):
                coerced[member.out_name] = item
            elif member.required:
                return _ABSENT
        return coerced if given == len(value) else _ABSENT

    return coerce


@dataclass(frozen=True, slots=True)
class _InputField:
    """A field of an input object."""

    name: str
    out_name: str
    required: bool
    """Whether it must not be null."""
    coerce: CoerceInput | None
    default: Any

    @classmethod
    def of(cls, name: str, field: GraphQLInputField) -> _InputField | None:
        """Return the field, or None when its default is mutable and cannot be shared."""
        default = coerce_default_value(field)
        if default is Undefined:
            default = _ABSENT
        try:
            hash(default)
        except TypeError:
            return None
        coerce = _leaf_coercer(get_nullable_type(field.type))
        return cls(name, field.out_name or name, is_non_null_type(field.type), coerce, default)


@dataclass(frozen=True, slots=True)
class _CompiledVariable:
    """A variable of a built-in scalar, an enum or an object of those, with a compiled coercion."""

    name: str
    required: bool
    coerce: CoerceInput
    default: Any

    @classmethod
    def of(cls, schema: GraphQLSchema, node: VariableDefinitionNode) -> _CompiledVariable | None:
        """Return the variable, or None when graphql-core has to coerce all its values."""
        signature = get_variable_signature(schema, node)
        if isinstance(signature, GraphQLError):
            return None
        type_ = get_nullable_type(signature.type)
        coerce = _object_coercer(type_) if is_input_object_type(type_) else _leaf_coercer(type_)
        if coerce is None:
            return None
        default = _ABSENT
        if node.default_value is not None:
            values = get_variable_values(schema, (node,), {}, hide_suggestions=True)
            if isinstance(values, list):
                return None
            default = values.coerced[signature.name]
            if is_input_object_type(type_):
                return None  # A mutable object cannot be shared.
        return cls(signature.name, is_non_null_type(signature.type), coerce, default)


def freeze(value: Any) -> Hashable:
    """Return a hashable equivalent: equal for equal values of equal types, whatever the order of keys.

    Scalars carry their type because 1 == True == 1.0. A value that cannot be hashed equals only itself, which costs a
    cache hit but never mixes up two requests.
    """
    if isinstance(value, dict):
        return frozenset((name, freeze(member)) for name, member in value.items())
    if isinstance(value, list | tuple):
        return tuple(freeze(member) for member in value)
    try:
        hash(value)
    except TypeError:
        return _Identity(value)
    return value.__class__, value


class _Identity:
    """A wrapper that equals only wrappers of the same object, which it keeps alive."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)
