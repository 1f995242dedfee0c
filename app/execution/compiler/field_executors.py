"""Selection sets in which some fields have resolvers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CoroutineType
from typing import Any

from graphql.pyutils import Path

from app.execution.compiler.completion import Complete, abandon, gathered
from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import SelectedField
from app.execution.compiler.projection import Project
from app.execution.compiler.resolver import Call

Field = Callable[[Any, Path | None, ExecutionState], Any]
"""(source, path of the parent, run) -> the completed value or a coroutine of it."""

Fields = Sequence[tuple[str, Field]]


def resolved(field: SelectedField, call: Call, settle: Complete) -> Field:
    """A field with a resolver."""
    key, parent = field.key, field.parent.name

    def execute(source: Any, above: Path | None, run: ExecutionState) -> Any:
        path = Path(above, key, parent)
        try:
            value = call(source, run, path)
        except Exception as error:
            run.core.handle_field_error(error, field.definition.type, field.details, path)
            return None
        return settle(value, path, run)

    return execute


def interpreted(field: SelectedField) -> Field:
    """A field left to graphql-core."""

    def execute(source: Any, above: Path | None, run: ExecutionState) -> Any:
        path = Path(above, field.key, field.parent.name)
        return run.core.execute_field(field.parent, source, field.details, path, None)

    return execute


def concurrently(project: Project, resolvers: Fields, fields: Fields) -> Field:
    """A selection set whose fields may run at the same time.

    `project` reads the fields without resolvers at one go. Where it fails, all the `fields` are
    executed one by one instead, so that errors keep the order of the document.
    """

    def execute(source: Any, path: Path | None, run: ExecutionState) -> Any:
        try:
            results, remaining = project(source), resolvers
        except Exception:
            results, remaining = {}, fields
        pending: list[str] = []
        try:
            for key, field in remaining:
                value = results[key] = field(source, path, run)
                if value.__class__ is CoroutineType:
                    pending.append(key)
        except Exception:
            abandon([results[key] for key in pending], run)
            raise
        return gathered(results, pending) if pending else results

    return execute


def serially(fields: Fields) -> Field:
    """A selection set whose fields wait for each other: the root of a mutation."""

    async def execute(source: Any, path: Path | None, run: ExecutionState) -> Any:
        results = {}
        for key, field in fields:
            value = field(source, path, run)
            results[key] = await value if value.__class__ is CoroutineType else value
        return results

    return execute
