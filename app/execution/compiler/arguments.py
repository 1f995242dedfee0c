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
from graphql.execution.values import VariableValues, get_argument_values
from graphql.language import BREAK, Visitor, VisitorAction, visit
from strawberry.types.arguments import convert_arguments

from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import SelectedField, Unsupported
from app.execution.compiler.inputs import Make, Unknown, maker

Coerce = Callable[[ExecutionState], dict[str, Any]]
Convert = Callable[[dict[str, Any], Any], dict[str, Any]]

_ABSENT = object()


class _Lookup(NamedTuple):
    """An argument whose value is a variable."""

    python_name: str
    variable: str
    default: Any
    strict: bool


class Arguments:
    """How the arguments of one field are made at each execution.

    `coerce(run)` gives a dict that belongs to nobody: it may be the same at each call, so copy it
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
        self._makers: dict[str, Make] = {}
        self.convert: Convert | None = None
        self.coerce: Coerce = self._prepare()

    def _prepare(self) -> Coerce:
        coerce = self._looked_up() if self._are_known() else None
        if coerce is None:
            self.convert = self._converted
            return self._coerced
        if self._makers:
            self.convert = self._made
        return coerce

    def _are_known(self) -> bool:
        """Whether the values of all arguments are what resolvers receive, or can be made into it without Strawberry."""
        definitions, config = self._field.definition.args, self._schema.config
        try:
            for name, argument in zip(self._names, self._arguments, strict=True):
                make = maker(argument.type, definitions[name].type, config)
                if make is not None:
                    self._makers[self._names[name]] = make
        except Unknown:
            return False
        return True

    def _looked_up(self) -> Coerce | None:
        """Plain look-ups, when every argument is either just a variable or constant and unchangeable."""
        nodes = {argument.name.value: argument for argument in self._field.node.arguments or ()}
        constant: dict[str, Any] = {}
        variables: list[_Lookup] = []
        for name, definition in self._field.definition.args.items():
            node = nodes.get(name)
            if node is not None and isinstance(node.value, VariableNode):
                variables.append(self._lookup(name, definition, node.value))
            elif node is not None and _has_variables(node):
                return None
            elif (value := self._one(name, definition, node)) is not _ABSENT:
                constant[self._names[name]] = value
        if not _are_immutable([*constant.values(), *(lookup.default for lookup in variables)]):
            return None
        if not variables:
            return lambda run: constant

        def coerce(run: ExecutionState) -> dict[str, Any]:
            arguments = constant.copy()
            for python_name, variable, default, strict in variables:
                value = run.variables.get(variable, default)
                if strict and (value is None or value is _ABSENT):
                    return self._coerced(run)  # raises
                if value is not _ABSENT:
                    arguments[python_name] = value
            return arguments

        return coerce

    def _lookup(self, name: str, definition: GraphQLArgument, variable: VariableNode) -> _Lookup:
        default = _ABSENT if is_required_argument(definition) else self._one(name, definition, None)
        return _Lookup(self._names[name], variable.name.value, default, is_non_null_type(definition.type))

    def _one(self, name: str, definition: GraphQLArgument, node: ArgumentNode | None) -> Any:
        """The value of this argument alone, or `_ABSENT` when it has none."""
        alone = GraphQLField(self._field.definition.type, args={name: definition})
        given = FieldNode(name=self._field.node.name, arguments=() if node is None else (node,))
        try:
            return next(iter(get_argument_values(alone, given).values()), _ABSENT)
        except GraphQLError as error:
            raise Unsupported from error

    def _coerced(self, run: ExecutionState) -> dict[str, Any]:
        definition, node = self._field.definition, self._field.node
        try:
            return get_argument_values(definition, node, VariableValues({}, run.variables))
        except Exception:
            # Once more with the sources of the variables, which the message may be about.
            return get_argument_values(definition, node, run.core.variable_values, None, True)

    def _made(self, values: dict[str, Any], info: Any) -> dict[str, Any]:
        made = values.copy()
        for name, make in self._makers.items():
            if name in made:
                made[name] = make(made[name])
        return made

    def _converted(self, values: dict[str, Any], info: Any) -> dict[str, Any]:
        registry = self._schema.schema_converter.scalar_registry
        return convert_arguments(values, self._arguments, registry, self._schema.config, info)


def _are_immutable(values: list[Any]) -> bool:
    """Whether resolvers of many executions may share them."""
    try:
        hash(tuple(values))
    except TypeError:
        return False
    return True


def _has_variables(argument: ArgumentNode) -> bool:
    found = False

    class Search(Visitor):
        def enter_variable(self, *_: Any) -> VisitorAction:
            nonlocal found
            found = True
            return BREAK

    visit(argument, Search())
    return found
