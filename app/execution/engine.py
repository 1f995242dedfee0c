"""The GraphQL engine of one schema."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import OperationType

from app.execution._upstream import graphql_schema
from app.execution.compiler.compile import Compiler
from app.execution.compiler.execution_state import ExecutionState
from app.execution.documents.document_cache import DocumentCache
from app.execution.documents.operation import BoundOperation, Operation
from app.execution.limits.limits import DocumentLimits
from app.execution.lru_cache import LRUCache
from app.execution.reference_executor import ReferenceExecutor, run
from app.execution.response import FormatError, Response, encode, format_by_specification
from app.execution.stream import ResponseStream


@dataclass(slots=True)
class ExecutionCounts:
    """How many executions, events of subscriptions included, were compiled and how many interpreted."""

    compiled: int = 0
    interpreted: int = 0


class Engine:
    """Prepares documents, executes operations and encodes their responses.

    Not for use by several threads. The engine runs no Strawberry extension and no custom operation directive: it
    refuses a schema that has any, because they would be skipped silently.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        limits: DocumentLimits | None = None,
        format_error: FormatError = format_by_specification,
        cache_size: int = 1024,
        cache_bytes: int = 64 * 1024 * 1024,
        compile: bool = True,
    ) -> None:
        """Create an engine.

        Args:
            schema: A Strawberry schema.
            limits: Applied to every new document between parsing and validation.
            format_error: Turns an error into its form in a response.
            cache_size: How many documents are cached; as many refused ones and as many compiled operations are, too.
            cache_bytes: About the memory that each of these three caches takes.
            compile: Without it graphql-core executes everything: much slower, with the same bytes as the result.

        Raises:
            ValueError: The schema has extensions, operation directives or incremental delivery.
        """
        core_schema = graphql_schema(schema)
        if schema.extensions or schema.directives or core_schema.get_directive("defer"):
            raise ValueError("The engine runs no schema extensions, operation directives or @defer")
        self._format_error = format_error
        self._documents = DocumentCache(core_schema, limits, cache_size, cache_bytes)
        self._reference_executor = ReferenceExecutor(schema)
        self._compiler = Compiler(schema, cache_size, cache_bytes) if compile else None
        self.executions = ExecutionCounts()

    @property
    def caches(self) -> Mapping[str, LRUCache[Any, Any]]:
        """The caches of the engine, by name."""
        caches: dict[str, LRUCache[Any, Any]] = {"documents": self._documents.accepted}
        return caches if self._compiler is None else caches | {"compiled_operations": self._compiler.plans}

    def has_prepared(self, query: str) -> bool:
        """Return whether `prepare` is cheap for a document, because it has been prepared or refused before."""
        return query in self._documents

    def prepare(self, query: str, operation_name: str | None = None) -> Operation:
        """Return an operation of a document. Raises RequestError when the document or the name is invalid."""
        return self._documents.get(query).operation(operation_name)

    async def execute(self, operation: Operation, variables: Mapping[str, Any] | None, context: object) -> Response:
        """Execute a query or a mutation.

        Errors of resolvers are in the response. Raises RequestError (BAD_USER_INPUT) for bad variables.
        """
        return await self.execute_bound(operation.bind(variables), context)

    def execute_bound(self, bound: BoundOperation, context: object) -> Coroutine[Any, Any, Response]:
        """Execute a query or a mutation whose variables have been coerced: return the coroutine to await.

        Errors of resolvers are in the response.
        """
        operation = bound.operation
        assert operation.kind is not OperationType.SUBSCRIPTION
        plan = self._compiler.plan(operation, bound.coerced) if self._compiler else None
        if plan is None:
            self.executions.interpreted += 1
            return run(self._reference_executor.executor(operation, bound.given, context))
        self.executions.compiled += 1
        return plan.execute(ExecutionState(self._reference_executor, operation, bound.given, bound.coerced, context))

    async def subscribe(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: object
    ) -> AsyncGenerator[Response, None]:
        """Create the source of a subscription; iterate the result for its responses, and close it with `aclose`.

        Raises:
            RequestError: The source cannot be created. A resolver written as an async generator runs only when its
            first
                event is requested: its failure is raised by the first step of the iteration.
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
        """Return the response as UTF-8 JSON."""
        return encode(response, self._format_error)
