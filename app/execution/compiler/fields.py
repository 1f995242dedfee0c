"""The closures of a compiled operation: they execute fields and selection sets, and complete values.

The rules are those of graphql-core's executor, in the same order, with everything decided at compile time that does not
depend on the value. A value of an unexpected kind is handed to that executor itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import CoroutineType
from typing import Any

from graphql import GraphQLOutputType
from graphql.pyutils import Path

from app.execution._upstream import FieldDetailsList, gather_with_cancel, get_strawberry_type_cast
from app.execution._upstream import optimized_is_awaitable as is_awaitable
from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import SelectedField
from app.execution.compiler.projection import Project
from app.execution.compiler.resolver import ResolverCall

Complete = Callable[[Any, Path, ExecutionState], Any]
"""(value, path, run) -> the completed value or a coroutine of it. Raises the error of a field."""


def graphql_core_completion(type_: GraphQLOutputType, field: SelectedField) -> Complete:
    """Return the completion of any value by graphql-core."""

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        info = state.graphql_core.build_resolve_info(field.definition, field.nodes, field.parent, path)
        return state.graphql_core.complete_value(type_, field.details, info, path, value, None)

    return complete


def projection_completion(project: Project, otherwise: Complete) -> Complete:
    """Return the completion of a value by reading attributes alone."""

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        try:
            return project(value)
        except Exception:
            return otherwise(value, path, state)

    return complete


def non_null_completion(inner: Complete, field: SelectedField) -> Complete:
    """Return the completion of a value that must not be null."""
    message = f"Cannot return null for non-nullable field {field.parent}.{field.name}."

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        completed = inner(value, path, state)
        if completed is None:
            raise TypeError(message)
        return completed

    return complete


def object_completion(variants: dict[type, Complete], uncertain: bool, otherwise: Complete) -> Complete:
    """Return the completion of an object by its class. Objects of `uncertain` classes may have been cast to others."""

    def complete(value: Any, path: Path, state: ExecutionState) -> Any:
        if value is None:
            return None
        variant = variants.get(type(value))
        if variant is None or (uncertain and get_strawberry_type_cast(value) is not None):
            return otherwise(value, path, state)
        return variant(value, path, state)

    return complete


def list_completion(settle: Complete, otherwise: Complete) -> Complete:
    """Return the completion of a list by `settle`, which awaits, completes and handles the errors of a member."""

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
    """Return the completion of the value of a resolver or a list member, awaited if needed, with errors handled.

    A nullable value becomes null and the error is collected; otherwise the error propagates to the parent.
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
    """Await the coroutines at the `pending` keys or indexes of `results`, a dict or a list, and return `results`."""
    if len(pending) == 1:
        results[pending[0]] = await results[pending[0]]
    else:
        values = await gather_with_cancel(*(results[key] for key in pending))
        for key, value in zip(pending, values, strict=True):
            results[key] = value
    return results


def settle_in_background(awaitables: list[Any], state: ExecutionState) -> None:
    """Let awaitables end in the background, after an error has made their parent null."""
    if awaitables:
        state.graphql_core.settle_in_background(awaitables)


ExecuteField = Callable[[Any, Path | None, ExecutionState], Any]
"""(source, path of the parent, run) -> the completed value or a coroutine of it."""

KeyedFields = Sequence[tuple[str, ExecuteField]]


def resolver_field(field: SelectedField, call: ResolverCall, settle: Complete) -> ExecuteField:
    """Return the execution of a field with a resolver."""
    key, parent = field.key, field.parent.name

    def execute(source: Any, above: Path | None, state: ExecutionState) -> Any:
        path = Path(above, key, parent)
        try:
            value = call(source, state, path)
        except Exception as error:
            state.graphql_core.handle_field_error(error, field.definition.type, field.details, path)
            return None
        return settle(value, path, state)

    return execute


def graphql_core_field(field: SelectedField) -> ExecuteField:
    """Return the execution of a field by graphql-core."""

    def execute(source: Any, above: Path | None, state: ExecutionState) -> Any:
        path = Path(above, field.key, field.parent.name)
        return state.graphql_core.execute_field(field.parent, source, field.details, path, None)

    return execute


def concurrent_selection(project: Project, resolvers: KeyedFields, fields: KeyedFields) -> ExecuteField:
    """Return the execution of a selection set whose fields may run concurrently.

    `project` reads the fields without resolvers at once. If it fails, all the `fields` are executed one by one instead,
    so that errors keep the order of the document.
    """

    def execute(source: Any, path: Path | None, state: ExecutionState) -> Any:
        try:
            results, remaining = project(source), resolvers
        except Exception:
            results, remaining = {}, fields
        pending: list[str] = []
        try:
            for key, field in remaining:
                value = results[key] = field(source, path, state)
                if value.__class__ is CoroutineType:
                    pending.append(key)
        except Exception:
            settle_in_background([results[key] for key in pending], state)
            raise
        return gather_pending(results, pending) if pending else results

    return execute


def serial_selection(fields: KeyedFields) -> ExecuteField:
    """Return the execution of a selection set whose fields run one after the other: the root of a mutation."""

    async def execute(source: Any, path: Path | None, state: ExecutionState) -> Any:
        results = {}
        for key, field in fields:
            value = field(source, path, state)
            results[key] = await value if value.__class__ is CoroutineType else value
        return results

    return execute
