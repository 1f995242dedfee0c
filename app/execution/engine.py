"""The GraphQL engine of one schema."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import OperationType

from app.execution.compiler.compile import Compiler
from app.execution.compiler.execution_state import ExecutionState
from app.execution.documents.document_cache import Documents, Limits
from app.execution.documents.operation import Bound, Operation
from app.execution.reference_executor import ReferenceExecutor, run
from app.execution.response import FormatError, Response, encode, formatted
from app.execution.stream import ResponseStream


@dataclass(slots=True)
class Executions:
    """How many executions, events of subscriptions included, went which way."""

    compiled: int = 0
    interpreted: int = 0


class Engine:
    """Prepares documents, executes operations and encodes their responses.

    Not for use by several threads. It runs no Strawberry extension and no custom operation
    directive: a schema that has any is refused, for they would be skipped in silence.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        limits: Limits | None = None,
        format_error: FormatError = formatted,
        cache_size: int = 1024,
        cache_bytes: int = 64 * 1024 * 1024,
        compile: bool = True,
    ) -> None:
        """
        `limits` judges every new document between parsing and validation; `format_error` turns an
        error into what the client sees. Up to `cache_size` documents are remembered, in about
        `cache_bytes` of memory; so are as many refused ones, and as many compiled operations, each
        kind apart from the others. Without `compile` graphql-core executes everything: slower by
        far, and the same to the byte. Raises ValueError for a schema with extensions, operation
        directives or incremental delivery.
        """
        if schema.extensions or schema.directives or schema._schema.get_directive("defer"):
            raise ValueError("The engine runs no schema extensions, operation directives or @defer")
        self._format_error = format_error
        self._documents = Documents(schema._schema, limits, cache_size, cache_bytes)
        self._reference_executor = ReferenceExecutor(schema)
        self._compiler = Compiler(schema, cache_size, cache_bytes) if compile else None
        self.executions = Executions()

    def prepare(self, query: str, operation_name: str | None = None) -> Operation:
        """The operation to execute. Raises Refusal when the document or the name is no good."""
        return self._documents.get(query).operation(operation_name)

    async def execute(self, operation: Operation, variables: Mapping[str, Any] | None, context: object) -> Response:
        """Execute a query or a mutation.

        Errors of resolvers are in the response. Raises Refusal (BAD_USER_INPUT) for bad variables.
        """
        return await self.execute_bound(operation.bind(variables), context)

    async def execute_bound(self, bound: Bound, context: object) -> Response:
        """Execute a query or a mutation whose variables have been coerced. Raises nothing."""
        operation = bound.operation
        assert operation.kind is not OperationType.SUBSCRIPTION
        plan = self._compiler.plan(operation, bound.coerced) if self._compiler else None
        if plan is None:
            self.executions.interpreted += 1
            return await run(self._reference_executor.executor(operation, bound.given, context))
        self.executions.compiled += 1
        return await plan.execute(
            ExecutionState(self._reference_executor, operation, bound.given, bound.coerced, context)
        )

    async def subscribe(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: object
    ) -> AsyncGenerator[Response, None]:
        """Create the source of a subscription; iterate the result for its responses.

        Raises Refusal when the source cannot be created. A resolver written as an async generator
        runs only when its first event is asked for: what fails there comes as a Refusal *from the
        first step of the iteration*. Whoever got the stream closes it with `aclose`.
        """
        assert operation.kind is OperationType.SUBSCRIPTION
        coerced = operation.variables.coerce(variables)
        executor = self._reference_executor.executor(operation, variables, context)

        async def execute(event: object) -> Response:
            plan = self._compiler.plan(operation, coerced) if self._compiler else None
            if plan is None:
                self.executions.interpreted += 1
                return await run(executor.build_per_event_executor(event), serially=False)
            self.executions.compiled += 1
            return await plan.execute(
                ExecutionState(self._reference_executor, operation, variables, coerced, context, event)
            )

        return ResponseStream(operation, await self._reference_executor.source(executor), execute)

    def encode(self, response: Response) -> bytes:
        """The response as UTF-8 JSON."""
        return encode(response, self._format_error)
