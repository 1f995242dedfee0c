"""Selection sets in which some fields have resolvers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CoroutineType
from typing import Any

from graphql.pyutils import Path

from app.execution.compiler.completion import Complete, gather_pending, settle_in_background
from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import SelectedField
from app.execution.compiler.projection import Project
from app.execution.compiler.resolver import ResolverCall

ExecuteField = Callable[[Any, Path | None, ExecutionState], Any]
"""(source, path of the parent, run) -> the completed value or a coroutine of it."""

KeyedFields = Sequence[tuple[str, ExecuteField]]


def resolver_field(field: SelectedField, call: ResolverCall, settle: Complete) -> ExecuteField:
    """A field with a resolver."""
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
    """A field left to graphql-core."""

    def execute(source: Any, above: Path | None, state: ExecutionState) -> Any:
        path = Path(above, field.key, field.parent.name)
        return state.graphql_core.execute_field(field.parent, source, field.details, path, None)

    return execute


def concurrent_selection(project: Project, resolvers: KeyedFields, fields: KeyedFields) -> ExecuteField:
    """A selection set whose fields may run at the same time.

    `project` reads the fields without resolvers at one go. Where it fails, all the `fields` are
    executed one by one instead, so that errors keep the order of the document.
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
    """A selection set whose fields wait for each other: the root of a mutation."""

    async def execute(source: Any, path: Path | None, state: ExecutionState) -> Any:
        results = {}
        for key, field in fields:
            value = field(source, path, state)
            results[key] = await value if value.__class__ is CoroutineType else value
        return results

    return execute
