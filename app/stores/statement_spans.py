"""Spans of the statements that PostgreSQL executes for a request, by the semantic conventions of OpenTelemetry."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.telemetry.tracing import Attributes, current_tracer

MAX_STATEMENT = 2000
"""Characters of a statement that a span shows."""


def statement_attributes(statement: str) -> Attributes:
    """Return the attributes of the span of a statement. Its parameters are left out: they contain what users send."""
    return {
        "db.system.name": "postgresql",
        "db.operation.name": operation_of(statement),
        "db.query.text": statement[:MAX_STATEMENT],
    }


def operation_of(statement: str) -> str:
    """Return the first word of a statement."""
    return statement.split(maxsplit=1)[0].upper() if statement.strip() else "STATEMENT"


def trace_statements(engine: AsyncEngine) -> None:
    """Trace the statements that are executed through SQLAlchemy, where their task is traced."""

    def before(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: bool) -> None:
        tracer = current_tracer()
        if tracer is not None and context is not None:
            started = tracer.start(operation_of(statement), statement_attributes(statement))
            context.leaderboard_span = tracer, started

    def end(context: Any, error: BaseException | None = None) -> None:
        tracer, started = getattr(context, "leaderboard_span", (None, None))
        if tracer is not None:
            context.leaderboard_span = None, None
            tracer.end(started, error)

    def after(_: Any, __: Any, ___: str, ____: Any, context: Any, _____: bool) -> None:
        end(context)

    def failed(failure: Any) -> None:
        end(failure.execution_context, failure.original_exception)

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    event.listen(engine.sync_engine, "after_cursor_execute", after)
    event.listen(engine.sync_engine, "handle_error", failed)
