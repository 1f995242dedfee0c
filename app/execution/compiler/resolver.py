"""Calling Strawberry's resolvers without the layers between graphql-core and the function."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction
from typing import Any

import strawberry
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField

from app.execution.compiler.arguments import Arguments
from app.execution.compiler.execution_state import ExecutionState, ResolveInfo
from app.execution.compiler.field_collection import SelectedField, Unsupported

Call = Callable[[Any, ExecutionState, Path], Any]
"""(source, run, path) -> the resolved value or an awaitable of it. Raises what the resolver raises."""


def is_attribute(field: SelectedField) -> bool:
    """Whether the field is read from an attribute of its source, by Strawberry's default resolver."""
    definition = field.strawberry
    resolve: Any = field.definition.resolve
    return (
        definition is not None
        and type(definition) is StrawberryField
        and definition.is_basic_field
        and not definition.is_subscription
        and getattr(resolve, "__name__", "") == "_get_basic_result"
    )


def caller(field: SelectedField, schema: strawberry.Schema) -> Call:
    """How this field is resolved."""
    definition = field.strawberry
    if definition is None:
        raise Unsupported(field.name)
    if definition.is_subscription:
        return lambda source, run, path: source  # the event is the value
    function = definition.base_resolver.wrapped_func if definition.base_resolver else None
    if type(definition) is not StrawberryField or definition.extensions or not callable(function):
        return _through_strawberry(field)
    if isasyncgenfunction(function):
        return _through_strawberry(field)
    return _Direct(field, definition, function, schema).call()


def _through_strawberry(field: SelectedField) -> Call:
    """Permissions, field extensions and custom field classes: as graphql-core calls them."""
    resolve = field.definition.resolve
    assert resolve is not None

    def call(source: Any, run: ExecutionState, path: Path) -> Any:
        arguments = get_argument_values(field.definition, field.node, run.core.variable_values, None, True)
        return resolve(source, ResolveInfo(run, field, path), **arguments)

    return call


class _Direct:
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
        self._handlers = schema.schema_converter._get_field_exception_handlers(definition)

    def call(self) -> Call:
        coerce, invoke, convert = self._arguments.coerce, self._invoke, self._arguments.convert
        if iscoroutinefunction(self._function):
            if self._handlers or convert is not None:
                return lambda source, run, path: self._awaited(source, run, path, coerce(run))
        elif self._handlers:
            return lambda source, run, path: self._handled_call(source, run, path, coerce(run))
        if convert is None and self._info_name is None and not self._source_names:
            function = self._function
            if self._takes_self:
                return lambda source, run, path: function(source, **coerce(run))
            return lambda source, run, path: function(**coerce(run))
        return lambda source, run, path: invoke(source, run, path, coerce(run))

    def _info(self, run: ExecutionState, path: Path) -> Any:
        raw: Any = ResolveInfo(run, self._field, path)
        return self._info_class(_raw_info=raw, _field=self._definition)

    def _invoke(self, source: Any, run: ExecutionState, path: Path, arguments: dict[str, Any]) -> Any:
        convert = self._arguments.convert
        if convert is not None or self._info_name is not None:
            info = self._info(run, path)
        arguments = arguments.copy() if convert is None else convert(arguments, info)
        for name in self._source_names:
            arguments[name] = source
        if self._info_name is not None:
            arguments[self._info_name] = info
        return self._function(source, **arguments) if self._takes_self else self._function(**arguments)

    # What follows is what Strawberry does for `exception_handlers`: an exception becomes the value
    # its handler returns, unless no handler wants it or the handler returns None.

    async def _awaited(self, source: Any, run: ExecutionState, path: Path, arguments: dict[str, Any]) -> Any:
        try:
            return await self._invoke(source, run, path, arguments)
        except Exception as error:
            return await self._settled(error, self._handle(error, run, path))

    def _handled_call(self, source: Any, run: ExecutionState, path: Path, arguments: dict[str, Any]) -> Any:
        try:
            result = self._invoke(source, run, path, arguments)
        except Exception as error:
            handled = self._handle(error, run, path)
            if handled is None:
                raise
            return handled
        return self._guarded(result, run, path) if isawaitable(result) else result

    async def _guarded(self, result: Any, run: ExecutionState, path: Path) -> Any:
        try:
            return await result
        except Exception as error:
            return await self._settled(error, self._handle(error, run, path))

    def _handle(self, error: Exception, run: ExecutionState, path: Path) -> Any:
        for exception_types, handler in self._handlers:
            if isinstance(error, exception_types):
                return handler.handle(error, field=self._definition, info=self._info(run, path))
        return None

    @staticmethod
    async def _settled(error: Exception, handled: Any) -> Any:
        if isawaitable(handled):
            handled = await handled
        if handled is None:
            raise error
        return handled
