"""Preparation, admission and execution of operations, the same for HTTP and sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping
from functools import partial
from types import coroutine
from typing import Any, Protocol, TypeVar

from app.domain.errors import DomainError, ServiceUnavailable
from app.execution import BoundOperation, Engine, Operation, RequestError, Response
from app.telemetry.tracing import current_tracer
from app.transport.errors import DocumentRefused
from app.transport.parameters import Parameters
from app.transport.persisted_documents.resolve import Documents

T = TypeVar("T")


class Admit(Protocol):
    """Counts operations against the limits."""

    async def __call__(self, context: Any, bound: BoundOperation | None, *, stores_document: bool = False) -> None:
        """Count an operation, and raise a domain error or RequestError to refuse it.

        Args:
            context: The context of the request.
            bound: None for a refused document, which cost time too.
            stores_document: Whether the document is going to be stored.
        """


Describe = Callable[[BoundOperation], Mapping[str, object]]
"""Returns the `extensions` of the response to an operation."""


class Slots(Protocol):
    """Bounds how many operations run at a time."""

    def start(self, context: Any) -> Any:
        """Count an operation of a context, or raise a domain error; return what to pass to `end`."""

    def end(self, taken: Any) -> None:
        """Count the end of an operation."""


def _accept_any(_: Operation) -> None:
    """Accept every operation."""


class Operations:
    """Turns requests into admitted operations, and executes them within a time limit."""

    def __init__(
        self,
        engine: Engine,
        documents: Documents,
        admit: Admit,
        *,
        execution_timeout: float = 15.0,
        describe: Describe | None = None,
        slots: Slots | None = None,
    ) -> None:
        """Create the pipeline.

        Args:
            engine: Executes the operations.
            documents: Resolves the documents that requests name.
            admit: Called before every execution.
            execution_timeout: Seconds that a query or a mutation may take.
            describe: Called for the `extensions` of every response; without it there are none.
            slots: Bounds how many queries and mutations run at a time; without it there is no bound.
        """
        self.engine = engine
        self.admit = admit
        self._documents = documents
        self._execution_timeout = execution_timeout
        self._describe = describe
        self._slots = slots
        self._preparing = asyncio.Lock()

    async def prepare(
        self, request: Parameters, context: Any, check: Callable[[Operation], None] = _accept_any
    ) -> BoundOperation:
        """Return the operation that a request names, with its variables, once it is admitted.

        Args:
            request: The parameters of the request.
            context: The context that `admit` gets.
            check: Called before the admission, and raises to refuse an operation that the transport cannot execute.

        Raises:
            BadRequest: The request names no document, or names it wrongly.
            DocumentRefused: The document is unknown or not trusted.
            RequestError: The document, the operation name or a variable is invalid, or the operation asks for too much.
            DomainError: The admission is refused.
        """
        try:
            query = await self._documents.resolve(request)
            if self.engine.has_prepared(query):
                operation = self.engine.prepare(query, request.operation_name)
            else:
                operation = await self._prepare_new(query, request.operation_name)
            check(operation)
            bound = operation.bind(request.variables)
        except (DocumentRefused, RequestError):
            await self.admit(context, None)
            raise
        if request.extensions and self._documents.is_new(request):
            await self.admit(context, bound, stores_document=True)
            await self._documents.persist(request)
        else:
            await self.admit(context, bound)
        return bound

    async def _prepare_new(self, query: str, operation_name: str | None) -> Operation:
        """Prepare documents one after the other: each takes milliseconds, and other requests go on between two."""
        async with self._preparing:
            try:
                return self.engine.prepare(query, operation_name)
            finally:
                await asyncio.sleep(0)

    async def execute(self, bound: BoundOperation, context: object, *, on_behalf_of: object = None) -> Response:
        """Execute a query or a mutation.

        Args:
            bound: The operation.
            context: The context that resolvers get.
            on_behalf_of: The context of the request, where resolvers get one without a caller.

        Raises:
            ServiceUnavailable: It took longer than the execution timeout.
            DomainError: Too many operations are running.
        """
        if self._slots is None:
            response = await self._execute(bound, context)
        else:
            taken = self._slots.start(on_behalf_of or context)
            try:
                response = await self._execute(bound, context)
            finally:
                self._slots.end(taken)
        if self._describe is not None:
            response.extensions = self._describe(bound)
        return response

    async def _execute(self, bound: BoundOperation, context: object) -> Response:
        tracer = current_tracer()
        if tracer is None:
            return await self._finish(bound, context)
        operation = bound.operation
        attributes = {"graphql.operation.type": operation.kind.value, "graphql.operation.name": operation.name or ""}
        with tracer.span(operation.kind.value, attributes, is_call=False) as span:
            response = await self._finish(bound, context)
            for error in response.errors:
                original = error.original_error
                if isinstance(original, ServiceUnavailable) or not isinstance(original, DomainError | None):
                    span.fail(type(original).__name__)
        return response

    async def _finish(self, bound: BoundOperation, context: object) -> Response:
        execution = self.engine.execute_bound(bound, context)
        try:
            # An execution that never waits ends at its first step, and needs no timer.
            waits_for = execution.send(None)
        except StopIteration as done:
            response: Response = done.value
            return response
        try:
            async with asyncio.timeout(self._execution_timeout):
                return await finish_coroutine(execution, waits_for)
        except TimeoutError:
            raise ServiceUnavailable(retry_after=1) from None


@coroutine
def finish_coroutine(started: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Await the rest of a coroutine that was sent None once, and then yielded `waits_for`.

    Exceptions that the event loop raises here, cancellations above all, are thrown into the coroutine, as `await` does.
    """
    while True:
        step: partial[Any]
        try:
            step = partial(started.send, (yield waits_for))
        except GeneratorExit:
            started.close()
            raise
        except BaseException as error:
            step = partial(started.throw, error)
        try:
            waits_for = step()
        except StopIteration as done:
            value: T = done.value
            return value
