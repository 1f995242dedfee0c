"""Arguments of a field: as constant as the document allows, and as Strawberry's resolvers want them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLError,
    GraphQLField,
    VariableNode,
    is_leaf_type,
    is_required_argument,
)
from graphql import get_nullable_type as nullable
from graphql.execution.values import VariableValues, get_argument_values
from graphql.language import BREAK, Visitor, VisitorAction, visit
from strawberry.relay.types import GlobalID
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.base import StrawberryMaybe, StrawberryOptional

from app.execution.collect import SelectedField, Unsupported
from app.execution.run import Run

Coerce = Callable[[Run], dict[str, Any]]
Convert = Callable[[dict[str, Any], Any], dict[str, Any]]

_ABSENT = object()


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
        self.convert: Convert | None = None
        self.coerce: Coerce = self._prepare()

    def _prepare(self) -> Coerce:
        definitions = self._field.definition.args
        if all(_is_bare(a, definitions[name]) for name, a in zip(self._names, self._arguments, strict=True)):
            if not _has_variables(*(self._field.node.arguments or ())):
                constant = self._constant()
                if constant is not None:
                    return lambda run: constant
            elif (coerce := self._from_variables()) is not None:
                return coerce
        self.convert = self._converted
        return self._coerced

    def _constant(self) -> dict[str, Any] | None:
        """The arguments when no variable is involved, or None when one of them could be changed."""
        try:
            values = get_argument_values(self._field.definition, self._field.node)
            hash(tuple(values.values()))
        except GraphQLError as error:
            raise Unsupported from error
        except TypeError:
            return None
        return {self._names[name]: value for name, value in values.items()}

    def _from_variables(self) -> Coerce | None:
        """Plain look-ups, when every argument is either constant or just a variable."""
        nodes = {argument.name.value: argument for argument in self._field.node.arguments or ()}
        constant: dict[str, Any] = {}
        looked_up: list[tuple[str, str, Any, bool]] = []
        for name, definition in self._field.definition.args.items():
            alone = GraphQLField(self._field.definition.type, args={name: definition})
            node = nodes.get(name)
            if node is not None and not isinstance(node.value, VariableNode):
                if _has_variables(node):
                    return None
                given = FieldNode(name=self._field.node.name, arguments=(node,))
                constant.update(self._plain(get_argument_values(alone, given)))
                continue
            required = is_required_argument(definition)
            absent = FieldNode(name=self._field.node.name, arguments=())
            default = {} if required else self._plain(get_argument_values(alone, absent))
            if node is None:
                constant.update(default)
            else:
                strict = nullable(definition.type) is not definition.type
                fallback = next(iter(default.values()), _ABSENT)
                variable = node.value
                assert isinstance(variable, VariableNode)
                looked_up.append((self._names[name], variable.name.value, fallback, strict))

        def coerce(run: Run) -> dict[str, Any]:
            arguments = constant.copy()
            for python_name, variable, default, strict in looked_up:
                value = run.variables.get(variable, default)
                if value is not _ABSENT:
                    if value is None and strict:
                        return self._coerced(run)  # raises
                    arguments[python_name] = value
                elif strict:
                    return self._coerced(run)  # raises
            return arguments

        return coerce

    def _plain(self, values: dict[str, Any]) -> dict[str, Any]:
        return {self._names[name]: value for name, value in values.items()}

    def _coerced(self, run: Run) -> dict[str, Any]:
        definition, node = self._field.definition, self._field.node
        try:
            return get_argument_values(definition, node, VariableValues({}, run.variables))
        except Exception:
            # Once more with the sources of the variables, which the message may be about.
            return get_argument_values(definition, node, run.core.variable_values, None, True)

    def _converted(self, values: dict[str, Any], info: Any) -> dict[str, Any]:
        registry = self._schema.schema_converter.scalar_registry
        return convert_arguments(values, self._arguments, registry, self._schema.config, info)


def _is_bare(argument: StrawberryArgument, definition: Any) -> bool:
    """Whether resolvers receive the coerced value itself: a scalar or an enum, in no wrapping."""
    type_ = argument.type
    if isinstance(type_, StrawberryMaybe):
        return False
    if isinstance(type_, StrawberryOptional):
        type_ = type_.of_type
    return is_leaf_type(nullable(definition.type)) and type_ is not GlobalID


def _has_variables(*arguments: ArgumentNode) -> bool:
    found = False

    class Search(Visitor):
        def enter_variable(self, *_: Any) -> VisitorAction:
            nonlocal found
            found = True
            return BREAK

    for argument in arguments:
        visit(argument, Search())
    return found
