"""Arguments of a field: as constant as the document allows, and as Strawberry's resolvers want them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import strawberry
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    VariableNode,
    is_non_null_type,
    is_required_argument,
)
from graphql.execution.values import get_argument_values
from graphql.language import BREAK, Visitor, VisitorAction, visit
from strawberry.types.arguments import convert_arguments

from app.execution._upstream import VariableValues
from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import SelectedField, Unsupported
from app.execution.compiler.inputs import ConvertInput, UnsupportedInput, input_converter

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
    """How the arguments of one field are made at each execution.

    `coerce(state)` gives a dict that belongs to nobody: it may be the same at each call, so copy it
    before a change. `convert`, where it is not None, makes Strawberry's input objects of that, given
    the resolver's info; it may raise what those raise.
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
        """Whether the values of all arguments are what resolvers receive, or can be made into it without Strawberry."""
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
        """Plain look-ups, when every argument is either just a variable or constant and unchangeable."""
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
        """The value of this argument alone, or `_ABSENT` when it has none."""
        alone = GraphQLField(self._field.definition.type, args={name: definition})
        given = FieldNode(name=self._field.node.name, arguments=() if node is None else (node,))
        try:
            return next(iter(get_argument_values(alone, given).values()), _ABSENT)
        except GraphQLError as error:
            raise Unsupported from error

    def _coerce_with_graphql_core(self, state: ExecutionState) -> dict[str, Any]:
        definition, node = self._field.definition, self._field.node
        try:
            return get_argument_values(definition, node, VariableValues({}, state.variables))
        except Exception:
            # Once more with the sources of the variables, which the message may be about.
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
    """Whether resolvers of many executions may share them."""
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
