"""The arguments of a field and their input objects, computed at compile time as far as the document allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any, NamedTuple

import strawberry
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    VariableNode,
    get_nullable_type,
    is_leaf_type,
    is_non_null_type,
    is_required_argument,
)
from graphql.execution.values import get_argument_values
from graphql.language import BREAK, Visitor, VisitorAction, visit
from strawberry.relay.types import GlobalID
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.unset import UNSET

from app.execution._upstream import VariableValues
from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import SelectedField, UnsupportedSelection

Coerce = Callable[[ExecutionState], dict[str, Any]]
Convert = Callable[[dict[str, Any], Any], dict[str, Any]]

_ABSENT = object()


class _VariableLookup(NamedTuple):
    """An argument whose value is a variable."""

    python_name: str
    variable: str
    default: Any
    strict: bool


class Arguments:
    """Computes the arguments of one field at each execution.

    `coerce(state)` returns a dict that may be shared between executions: copy it before changing it. `convert`, unless
    it is None, turns the values of that dict into Strawberry's input objects, given the resolver's info; it raises what
    the input objects raise.
    """

    def __init__(self, field: SelectedField, schema: strawberry.Schema) -> None:
        assert field.strawberry is not None
        self._field = field
        self._schema = schema
        self._arguments = field.strawberry.arguments
        self._names = {
            schema.config.name_converter.from_argument(argument): argument.python_name for argument in self._arguments
        }
        self._converters: dict[str, ConvertInput] = {}
        self.convert: Convert | None = None
        self.coerce: Coerce = self._prepare()

    def _prepare(self) -> Coerce:
        coerce = self._compile_lookups() if self._find_converters() else None
        if coerce is None:
            self.convert = self._convert_with_strawberry
            return self._coerce_with_graphql_core
        if self._converters:
            self.convert = self._convert_inputs
        return coerce

    def _find_converters(self) -> bool:
        """Return whether all values can be passed to resolvers as they are, or be converted without Strawberry."""
        definitions, config = self._field.definition.args, self._schema.config
        try:
            for name, argument in zip(self._names, self._arguments, strict=True):
                make = input_converter(argument.type, definitions[name].type, config)
                if make is not None:
                    self._converters[self._names[name]] = make
        except UnsupportedInput:
            return False
        return True

    def _compile_lookups(self) -> Coerce | None:
        """Return look-ups if every argument is either a variable or an immutable constant, else None."""
        nodes = {argument.name.value: argument for argument in self._field.node.arguments or ()}
        constant: dict[str, Any] = {}
        variables: list[_VariableLookup] = []
        for name, definition in self._field.definition.args.items():
            node = nodes.get(name)
            if node is not None and isinstance(node.value, VariableNode):
                variables.append(self._lookup(name, definition, node.value))
            elif node is not None and _uses_variables(node):
                return None
            elif (value := self._single_value(name, definition, node)) is not _ABSENT:
                constant[self._names[name]] = value
        if not _are_immutable([*constant.values(), *(lookup.default for lookup in variables)]):
            return None
        if not variables:
            return lambda state: constant

        def coerce(state: ExecutionState) -> dict[str, Any]:
            arguments = constant.copy()
            for python_name, variable, default, strict in variables:
                value = state.variables.get(variable, default)
                if strict and (value is None or value is _ABSENT):
                    return self._coerce_with_graphql_core(state)  # raises
                if value is not _ABSENT:
                    arguments[python_name] = value
            return arguments

        return coerce

    def _lookup(self, name: str, definition: GraphQLArgument, variable: VariableNode) -> _VariableLookup:
        default = _ABSENT if is_required_argument(definition) else self._single_value(name, definition, None)
        return _VariableLookup(self._names[name], variable.name.value, default, is_non_null_type(definition.type))

    def _single_value(self, name: str, definition: GraphQLArgument, node: ArgumentNode | None) -> Any:
        """Return the value of one argument, or `_ABSENT` when it has none."""
        alone = GraphQLField(self._field.definition.type, args={name: definition})
        given = FieldNode(name=self._field.node.name, arguments=() if node is None else (node,))
        try:
            return next(iter(get_argument_values(alone, given).values()), _ABSENT)
        except GraphQLError as error:
            raise UnsupportedSelection from error

    def _coerce_with_graphql_core(self, state: ExecutionState) -> dict[str, Any]:
        definition, node = self._field.definition, self._field.node
        try:
            return get_argument_values(definition, node, VariableValues({}, state.variables))
        except Exception:
            # Again with the sources of the variables, which the error message may mention.
            return get_argument_values(definition, node, state.graphql_core.variable_values, None, True)

    def _convert_inputs(self, values: dict[str, Any], info: Any) -> dict[str, Any]:
        made = values.copy()
        for name, make in self._converters.items():
            if name in made:
                made[name] = make(made[name])
        return made

    def _convert_with_strawberry(self, values: dict[str, Any], info: Any) -> dict[str, Any]:
        registry = self._schema.schema_converter.scalar_registry
        return convert_arguments(values, self._arguments, registry, self._schema.config, info)


def _are_immutable(values: list[Any]) -> bool:
    """Return whether the resolvers of many executions may share the values."""
    try:
        hash(tuple(values))
    except TypeError:
        return False
    return True


def _uses_variables(argument: ArgumentNode) -> bool:
    found = False

    class Search(Visitor):
        def enter_variable(self, *_: Any) -> VisitorAction:
            nonlocal found
            found = True
            return BREAK

    visit(argument, Search())
    return found


ConvertInput = Callable[[Any], Any]


class UnsupportedInput(Exception):
    """The values of a type must be converted by Strawberry itself."""


def input_converter(
    type_: Any, definition: GraphQLInputType, config: StrawberryConfig, within: frozenset[type] = frozenset()
) -> ConvertInput | None:
    """Return a function from a coerced value of a type to what resolvers receive; None if both are the same.

    The function does the same as Strawberry's `convert_argument`, for scalars, enums and plain input objects of those.

    Args:
        type_: The type of the argument in Strawberry's terms.
        definition: The same type in graphql-core's terms.
        config: The configuration of the schema, for names.
        within: The input objects around the type.

    Raises:
        UnsupportedInput: The type is another one.
    """
    if isinstance(type_, StrawberryMaybe):
        raise UnsupportedInput
    if isinstance(type_, StrawberryOptional):
        type_ = type_.of_type
    named = get_nullable_type(definition)
    if is_leaf_type(named):
        if type_ is GlobalID:
            raise UnsupportedInput
        return None
    if not isinstance(named, GraphQLInputObjectType) or not has_object_definition(type_):
        raise UnsupportedInput
    if type_ in within:  # A recursive type.
        raise UnsupportedInput
    return _object_converter(type_, named, config, within | {type_})


def _object_converter(
    type_: type, named: GraphQLInputObjectType, config: StrawberryConfig, within: frozenset[type]
) -> ConvertInput:
    shape = type_.__strawberry_definition__  # type: ignore[attr-defined]
    if shape.from_input is not None or not shape.is_input:
        raise UnsupportedInput
    # A field without a default that is not given is None, as in Strawberry.
    absent = dict.fromkeys(
        field.python_name
        for field in shape.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    )
    members: list[tuple[str, str, ConvertInput | None]] = []
    for field in shape.fields:
        name = config.name_converter.from_field(field)
        inner = input_converter(field.resolve_type(type_definition=shape), named.fields[name].type, config, within)
        members.append((name, field.python_name, inner))

    def make(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        given = absent.copy()
        for name, python_name, inner in members:
            if name in value:
                given[python_name] = value[name] if inner is None else inner(value[name])
        return type_(**given)

    return make
