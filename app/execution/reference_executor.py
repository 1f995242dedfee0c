"""Execution by graphql-core, the reference for compiled execution."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from inspect import isawaitable
from typing import Any, cast

import strawberry
from graphql import ExecutionResult, GraphQLError

from app.execution._upstream import Executor, create_source_event_stream, graphql_schema, optimized_is_awaitable
from app.execution.documents.operation import Operation
from app.execution.request_error import BAD_USER_INPUT, RequestError
from app.execution.response import Response


class ReferenceExecutor:
    """Executes operations with graphql-core, using Strawberry's executor class."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = graphql_schema(schema)
        self._executor_class = schema.execution_context_class

    def executor(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: object, root: object = None
    ) -> Executor[Any]:
        """Return an executor for one execution. Raises RequestError (BAD_USER_INPUT) for invalid variables."""
        executor = self._executor_class.build(
            self._schema,
            operation.document,
            root,
            context,
            dict(variables or {}),
            operation.name,
            max_coercion_errors=1,
            is_awaitable=cast("Any", optimized_is_awaitable),
            hide_suggestions=True,
            operation_extensions=None,
        )
        if isinstance(executor, list):
            raise RequestError.from_error(executor[0], BAD_USER_INPUT)
        return executor

    async def source(self, executor: Executor[Any]) -> AsyncIterable[Any]:
        """Return the source of a subscription. Raises RequestError when its resolver does not deliver one."""
        stream: Any = create_source_event_stream(executor)
        if isawaitable(stream):
            stream = await stream
        if isinstance(stream, ExecutionResult):
            raise RequestError(stream.errors or [GraphQLError("The subscription has no events.")])
        events: AsyncIterable[Any] = stream
        return events


async def run(executor: Executor[Any], *, serially: bool | None = None) -> Response:
    """Execute with graphql-core, whether or not its resolvers are asynchronous."""
    result: Any = executor.execute_operation(serially)
    if isawaitable(result):
        result = await result
    assert isinstance(result, ExecutionResult), "incremental delivery is refused by the engine"
    return Response(result.data, result.errors or [])
