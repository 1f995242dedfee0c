"""Calls of Strawberry's resolvers without the layers between graphql-core and the function."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction
from typing import Any

import strawberry
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField

from app.execution._upstream import exception_handlers, is_basic_resolver
from app.execution.compiler.arguments import Arguments
from app.execution.compiler.execution_state import ExecutionState, ResolveInfo
from app.execution.compiler.field_collection import SelectedField, UnsupportedSelection

ResolverCall = Callable[[Any, ExecutionState, Path], Any]
"""(source, run, path) -> the resolved value or an awaitable of it. Raises what the resolver raises."""


def is_attribute(field: SelectedField) -> bool:
    """Return whether the field is read from an attribute of its source, by Strawberry's default resolver."""
    definition = field.strawberry
    resolve: Any = field.definition.resolve
    return (
        definition is not None
        and type(definition) is StrawberryField
        and definition.is_basic_field
        and not definition.is_subscription
        and is_basic_resolver(resolve)
    )


def resolver_call(field: SelectedField, schema: strawberry.Schema) -> ResolverCall:
    """Return the call that resolves a field."""
    definition = field.strawberry
    if definition is None:
        raise UnsupportedSelection(field.name)
    if definition.is_subscription:
        return lambda source, state, path: source  # the event is the value
    function = definition.base_resolver.wrapped_func if definition.base_resolver else None
    if type(definition) is not StrawberryField or definition.extensions or not callable(function):
        return _strawberry_call(field)
    if isasyncgenfunction(function):
        return _strawberry_call(field)
    return _DirectCall(field, definition, function, schema).call()


def _strawberry_call(field: SelectedField) -> ResolverCall:
    """Return the call of a field with permissions, extensions or a class of its own, as graphql-core makes it."""
    resolve = field.definition.resolve
    assert resolve is not None

    def call(source: Any, state: ExecutionState, path: Path) -> Any:
        arguments = get_argument_values(field.definition, field.node, state.graphql_core.variable_values, None, True)
        return resolve(source, ResolveInfo(state, field, path), **arguments)

    return call


class _DirectCall:
    """A call of the resolver function itself."""

    def __init__(
        self,
        field: SelectedField,
        definition: StrawberryField,
        function: Callable[..., Any],
        schema: strawberry.Schema,
    ) -> None:
        resolver = definition.base_resolver
        assert resolver is not None
        self._field = field
        self._definition = definition
        self._function = function
        self._info_class = schema.config.info_class
        self._arguments = Arguments(field, schema)
        self._takes_self = resolver.self_parameter is not None
        self._source_names = [p.name for p in (resolver.parent_parameter, resolver.root_parameter) if p]
        self._info_name = resolver.info_parameter.name if resolver.info_parameter else None
        self._handlers = exception_handlers(schema, definition)

    def call(self) -> ResolverCall:
        """Return the fastest call that the resolver's parameters and exception handlers allow."""
        coerce, invoke, convert = self._arguments.coerce, self._invoke, self._arguments.convert
        if iscoroutinefunction(self._function):
            if self._handlers or convert is not None:
                return lambda source, state, path: self._await_invocation(source, state, path, coerce(state))
        elif self._handlers:
            return lambda source, state, path: self._call_with_handlers(source, state, path, coerce(state))
        if convert is None and self._info_name is None and not self._source_names:
            function = self._function
            if self._takes_self:
                return lambda source, state, path: function(source, **coerce(state))
            return lambda source, state, path: function(**coerce(state))
        return lambda source, state, path: invoke(source, state, path, coerce(state))

    def _info(self, state: ExecutionState, path: Path) -> Any:
        raw: Any = ResolveInfo(state, self._field, path)
        return self._info_class(_raw_info=raw, _field=self._definition)

    def _invoke(self, source: Any, state: ExecutionState, path: Path, arguments: dict[str, Any]) -> Any:
        convert = self._arguments.convert
        if convert is not None or self._info_name is not None:
            info = self._info(state, path)
        arguments = arguments.copy() if convert is None else convert(arguments, info)
        for name in self._source_names:
            arguments[name] = source
        if self._info_name is not None:
            arguments[self._info_name] = info
        return self._function(source, **arguments) if self._takes_self else self._function(**arguments)

    # The methods below do what Strawberry does for `exception_handlers`: an exception becomes the value that its
    # handler returns, unless there is no handler for it or the handler returns None.

    async def _await_invocation(self, source: Any, state: ExecutionState, path: Path, arguments: dict[str, Any]) -> Any:
        try:
            return await self._invoke(source, state, path, arguments)
        except Exception as error:
            return await self._handled_value(error, self._handle(error, state, path))

    def _call_with_handlers(self, source: Any, state: ExecutionState, path: Path, arguments: dict[str, Any]) -> Any:
        try:
            result = self._invoke(source, state, path, arguments)
        except Exception as error:
            handled = self._handle(error, state, path)
            if handled is None:
                raise
            return handled
        return self._await_with_handlers(result, state, path) if isawaitable(result) else result

    async def _await_with_handlers(self, result: Any, state: ExecutionState, path: Path) -> Any:
        try:
            return await result
        except Exception as error:
            return await self._handled_value(error, self._handle(error, state, path))

    def _handle(self, error: Exception, state: ExecutionState, path: Path) -> Any:
        for exception_types, handler in self._handlers:
            if isinstance(error, exception_types):
                return handler.handle(error, field=self._definition, info=self._info(state, path))
        return None

    @staticmethod
    async def _handled_value(error: Exception, handled: Any) -> Any:
        if isawaitable(handled):
            handled = await handled
        if handled is None:
            raise error
        return handled
