"""Preparation, admission and execution of operations, the same for HTTP and sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from functools import partial
from types import coroutine
from typing import Any, TypeVar

from app.domain.errors import ServiceUnavailable
from app.execution import BoundOperation, Engine, Operation, RequestError, Response
from app.transport.errors import DocumentRefused
from app.transport.parameters import Parameters
from app.transport.persisted_documents.resolve import Documents

T = TypeVar("T")

Admit = Callable[[Any, BoundOperation | None], Awaitable[None]]
"""Counts an operation of a context against the limits, and raises a domain error or RequestError to refuse it. None in
place of the operation stands for a refused document, which cost time too."""

Describe = Callable[[BoundOperation], Mapping[str, object]]
"""Returns the `extensions` of the response to an operation."""


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
        execution_timeout: float = 10.0,
        describe: Describe | None = None,
    ) -> None:
        """Create the pipeline.

        Args:
            engine: Executes the operations.
            documents: Resolves the documents that requests name.
            admit: Called before every execution.
            execution_timeout: Seconds that a query or a mutation may take.
            describe: Called for the `extensions` of every response; without it there are none.
        """
        self.engine = engine
        self.admit = admit
        self._documents = documents
        self._execution_timeout = execution_timeout
        self._describe = describe

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
            operation = self.engine.prepare(query, request.operation_name)
            check(operation)
            bound = operation.bind(request.variables)
        except (DocumentRefused, RequestError):
            await self.admit(context, None)
            raise
        await self.admit(context, bound)
        if request.extensions:
            await self._documents.persist(request)
        return bound

    async def execute(self, bound: BoundOperation, context: object) -> Response:
        """Execute a query or a mutation.

        Raises:
            ServiceUnavailable: It took longer than the execution timeout.
        """
        response = await self._execute(bound, context)
        if self._describe is not None:
            response.extensions = self._describe(bound)
        return response

    async def _execute(self, bound: BoundOperation, context: object) -> Response:
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
