"""Values on their way into the response where resolvers are involved below them.

The rules are those of graphql-core's executor, in the same order, with everything decided beforehand
that does not depend on the value. A value of an unexpected kind is handed to that executor itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import CoroutineType
from typing import Any

from graphql import GraphQLOutputType
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path, gather_with_cancel
from strawberry.execution import optimized_is_awaitable as is_awaitable

from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import SelectedField
from app.execution.compiler.projection import Project
from app.execution.compiler.type_resolution import is_cast

Complete = Callable[[Any, Path, ExecutionState], Any]
"""(value, path, run) -> the completed value or a coroutine of it. Raises the error of a field."""


def delegated(type_: GraphQLOutputType, field: SelectedField) -> Complete:
    """Completion by graphql-core."""

    def complete(value: Any, path: Path, run: ExecutionState) -> Any:
        info = run.core.build_resolve_info(field.definition, field.nodes, field.parent, path)
        return run.core.complete_value(type_, field.details, info, path, value, None)

    return complete


def projected(project: Project, otherwise: Complete) -> Complete:
    """A value that is read from attributes alone."""

    def complete(value: Any, path: Path, run: ExecutionState) -> Any:
        try:
            return project(value)
        except Exception:
            return otherwise(value, path, run)

    return complete


def required(inner: Complete, field: SelectedField) -> Complete:
    """A value that must not be null."""
    message = f"Cannot return null for non-nullable field {field.parent}.{field.name}."

    def complete(value: Any, path: Path, run: ExecutionState) -> Any:
        completed = inner(value, path, run)
        if completed is None:
            raise TypeError(message)
        return completed

    return complete


def one_of(variants: dict[type, Complete], uncertain: bool, otherwise: Complete) -> Complete:
    """An object, completed by its class. `uncertain` classes may have been cast to others."""

    def complete(value: Any, path: Path, run: ExecutionState) -> Any:
        if value is None:
            return None
        variant = variants.get(type(value))
        if variant is None or (uncertain and is_cast(value)):
            return otherwise(value, path, run)
        return variant(value, path, run)

    return complete


def listed(settle: Complete, otherwise: Complete) -> Complete:
    """A list, each of its members settled for itself."""

    def complete(value: Any, path: Path, run: ExecutionState) -> Any:
        if value is None:
            return None
        if type(value) is not list and type(value) is not tuple:
            return otherwise(value, path, run)
        results: list[Any] = []
        pending: list[int] = []
        try:
            for index, member in enumerate(value):
                result = settle(member, Path(path, index, None), run)
                results.append(result)
                if result.__class__ is CoroutineType:
                    pending.append(index)
        except Exception:
            rest = [member for member in value[len(results) + 1 :] if is_awaitable(member)]
            abandon([*(results[index] for index in pending), *rest], run)
            raise
        return gathered(results, pending) if pending else results

    return complete


def settled(complete: Complete, type_: GraphQLOutputType, details: FieldDetailsList) -> Complete:
    """Completion of what a resolver or a list delivered, with errors kept to their place.

    A nullable place becomes null and the error is collected; from any other the error goes on up.
    """

    def failed(error: Exception, path: Path, run: ExecutionState) -> None:
        run.core.handle_field_error(error, type_, details, path)

    async def later(value: Awaitable[Any], path: Path, run: ExecutionState) -> Any:
        try:
            completed = complete(await value, path, run)
            return await completed if completed.__class__ is CoroutineType else completed
        except Exception as error:
            return failed(error, path, run)

    async def finish(completed: Awaitable[Any], path: Path, run: ExecutionState) -> Any:
        try:
            return await completed
        except Exception as error:
            return failed(error, path, run)

    def settle(value: Any, path: Path, run: ExecutionState) -> Any:
        if is_awaitable(value):
            return later(value, path, run)
        try:
            completed = complete(value, path, run)
        except Exception as error:
            return failed(error, path, run)
        return finish(completed, path, run) if completed.__class__ is CoroutineType else completed

    return settle


async def gathered(results: Any, pending: Sequence[Any]) -> Any:
    """`results`, a list or a dict, when the coroutines at the `pending` places have been awaited."""
    if len(pending) == 1:
        results[pending[0]] = await results[pending[0]]
    else:
        values = await gather_with_cancel(*(results[place] for place in pending))
        for place, value in zip(pending, values, strict=True):
            results[place] = value
    return results


def abandon(awaitables: list[Any], run: ExecutionState) -> None:
    """Let these end on their own: an error has already decided about their parent."""
    if awaitables:
        run.core.settle_in_background(awaitables)
