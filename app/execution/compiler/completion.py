"""Values on their way into the response where resolvers are involved below them.

The rules are those of graphql-core's executor, in the same order, with everything decided beforehand
that does not depend on the value. A value of an unexpected kind is handed to that executor itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import CoroutineType
from typing import Any

from graphql import GraphQLOutputType
from graphql.pyutils import Path

from app.execution._upstream import FieldDetailsList, gather_with_cancel
from app.execution._upstream import optimized_is_awaitable as is_awaitable
from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import SelectedField
from app.execution.compiler.projection import Project
from app.execution.compiler.type_resolution import is_cast

Complete = Callable[[Any, Path, ExecutionState], Any]
"""(value, path, run) -> the completed value or a coroutine of it. Raises the error of a field."""


def graphql_core_completion(type_: GraphQLOutputType, field: SelectedField) -> Complete:
    """Completion by graphql-core."""

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        info = state.graphql_core.build_resolve_info(field.definition, field.nodes, field.parent, path)
        return state.graphql_core.complete_value(type_, field.details, info, path, value, None)

    return complete


def projection_completion(project: Project, otherwise: Complete) -> Complete:
    """A value that is read from attributes alone."""

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        try:
            return project(value)
        except Exception:
            return otherwise(value, path, state)

    return complete


def non_null_completion(inner: Complete, field: SelectedField) -> Complete:
    """A value that must not be null."""
    message = f"Cannot return null for non-nullable field {field.parent}.{field.name}."

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        completed = inner(value, path, state)
        if completed is None:
            raise TypeError(message)
        return completed

    return complete


def object_completion(variants: dict[type, Complete], uncertain: bool, otherwise: Complete) -> Complete:
    """An object, completed by its class. `uncertain` classes may have been cast to others."""

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        if value is None:
            return None
        variant = variants.get(type(value))
        if variant is None or (uncertain and is_cast(value)):
            return otherwise(value, path, state)
        return variant(value, path, state)

    return complete


def list_completion(settle: Complete, otherwise: Complete) -> Complete:
    """A list, each of its members settled for itself."""

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        if value is None:
            return None
        if type(value) is not list and type(value) is not tuple:
            return otherwise(value, path, state)
        results: list[Any] = []
        pending: list[int] = []
        try:
            for index, member in enumerate(value):
                result = settle(member, Path(path, index, None), state)
                results.append(result)
                if result.__class__ is CoroutineType:
                    pending.append(index)
        except Exception:
            rest = [member for member in value[len(results) + 1 :] if is_awaitable(member)]
            settle_in_background([*(results[index] for index in pending), *rest], state)
            raise
        return gather_pending(results, pending) if pending else results

    return complete


def with_error_handling(complete: Complete, type_: GraphQLOutputType, details: FieldDetailsList) -> Complete:
    """Completion of what a resolver or a list delivered, with errors kept to their place.

    A nullable place becomes null and the error is collected; from any other the error goes on up.
    """

    def failed(error: Exception, path: Path, state: ExecutionState) -> None:
        state.graphql_core.handle_field_error(error, type_, details, path)

    async def later(value: Awaitable[Any], path: Path, state: ExecutionState) -> Any:
        try:
            completed = complete(await value, path, state)
            return await completed if completed.__class__ is CoroutineType else completed
        except Exception as error:
            return failed(error, path, state)

    async def finish(completed: Awaitable[Any], path: Path, state: ExecutionState) -> Any:
        try:
            return await completed
        except Exception as error:
            return failed(error, path, state)

    def settle(value: Any, path: Path, state: ExecutionState) -> Any:
        if is_awaitable(value):
            return later(value, path, state)
        try:
            completed = complete(value, path, state)
        except Exception as error:
            return failed(error, path, state)
        return finish(completed, path, state) if completed.__class__ is CoroutineType else completed

    return settle


async def gather_pending(results: Any, pending: Sequence[Any]) -> Any:
    """`results`, a list or a dict, when the coroutines at the `pending` places have been awaited."""
    if len(pending) == 1:
        results[pending[0]] = await results[pending[0]]
    else:
        values = await gather_with_cancel(*(results[place] for place in pending))
        for place, value in zip(pending, values, strict=True):
            results[place] = value
    return results


def settle_in_background(awaitables: list[Any], state: ExecutionState) -> None:
    """Let these end on their own: an error has already decided about their parent."""
    if awaitables:
        state.graphql_core.settle_in_background(awaitables)
