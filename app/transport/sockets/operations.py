"""The operations of one socket: memberships in shared executions, and executions of its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from copy import copy
from typing import TYPE_CHECKING, Protocol

from graphql import GraphQLError, OperationType

from app.domain.errors import ServiceUnavailable
from app.execution import Operation, RequestError
from app.transport.errors import BadRequest, DocumentRefused
from app.transport.multiplexing.payload import Payload, conflate
from app.transport.sockets.close_codes import CloseCode
from app.transport.sockets.frames import complete_frame, error_frame, next_prefix
from app.transport.sockets.messages import Subscribe

if TYPE_CHECKING:
    from app.transport.multiplexing.group import SubscriberGroup
    from app.transport.sockets.socket import Socket


class Running(Protocol):
    """An operation that runs on a socket."""

    def cancel(self) -> None:
        """Nobody is interested any more: write nothing, and end it where that is safe."""

    def flush(self) -> None:
        """The socket can be written to again."""


class MultiplexedOperation:
    """A membership in a shared execution. It writes ready frames to the transport and has no task.

    While the kernel holds back what was written before, it keeps the newest state instead of writing.
    """

    __slots__ = ("_id", "_pending", "_prefix", "_socket", "_transport", "group")

    def __init__(self, socket: Socket, operation_id: str) -> None:
        self._socket = socket
        self._id = operation_id
        self._prefix = next_prefix(operation_id)
        self._transport = socket.protocol.transport
        self._pending: tuple[Payload, ...] = ()
        self.group: SubscriberGroup | None = None

    def next(self, payload: Payload) -> None:
        if self._pending or self._transport.get_write_buffer_size():
            pending = conflate(self._pending, payload)
            self._socket.services.shared.superseded += len(self._pending) + 1 - len(pending)
            self._pending = pending
        else:
            self._transport.write(payload.frame(self._prefix))

    def flush(self) -> None:
        while self._pending and not self._transport.get_write_buffer_size():
            payload, *rest = self._pending
            self._pending = tuple(rest)
            self._transport.write(payload.frame(self._prefix))

    def fail(self, body: bytes) -> None:
        self._end(error_frame(self._id, body))

    def complete(self) -> None:
        self._end(complete_frame(self._id))

    def _end(self, frame: bytes) -> None:
        # Written however slow the client is: it happens once, and the last state comes before it.
        for payload in self._pending:
            self._transport.write(payload.frame(self._prefix))
        self._pending = ()
        self._transport.write(frame)
        self._socket.forget(self._id, self)

    def cancel(self) -> None:
        if self.group is not None:
            self.group.leave(self)


class PrivateOperation:
    """An operation in a task of its own: prepared and admitted there, then executed or joined to a shared execution.

    Executed here are queries, mutations, and subscriptions that show a viewer what others may not see. Each gets a
    context of its own, because fields of one operation must not meet the state of another.
    """

    __slots__ = ("_changing", "_id", "_listening", "_request", "_socket", "_task")

    def __init__(self, socket: Socket, message: Subscribe) -> None:
        self._socket = socket
        self._id = message.id
        self._request = message.request
        self._listening = True
        self._changing = False
        """A mutation has begun: it is finished whether or not anybody waits for the result."""
        self._task = socket.services.connections.run(self._run())

    def cancel(self) -> None:
        self._listening = False
        if not self._changing:
            self._task.cancel()

    def flush(self) -> None:
        """Its task waits for the socket by itself."""

    async def _run(self) -> None:
        try:
            await self._execute()
        except BadRequest as problem:
            if self._listening:
                self._socket.close(CloseCode.BAD_REQUEST, problem.message)
        except DocumentRefused as refused:
            self._fail(RequestError.because(GraphQLError(refused.message), refused.code))
        except Exception as error:
            self._fail(error)

    async def _execute(self) -> None:
        services = self._socket.services
        context = copy(self._socket.context)
        operation = await self._prepared(context)
        await services.admit(context, operation)
        if operation.kind is not OperationType.SUBSCRIPTION:
            await self._answer(operation, context)
        elif operation.shared:
            self._socket.share(self._id, operation, self._request.variables)
        else:
            await self._stream(operation, context)

    async def _prepared(self, context: object) -> Operation:
        services = self._socket.services
        try:
            query = await services.documents.resolve(self._request)
            operation = services.engine.prepare(query, self._request.operation_name)
        except (DocumentRefused, RequestError):
            await services.admit(context, None)
            raise
        if self._request.extensions:
            await services.documents.remember(self._request)
        return operation

    async def _answer(self, operation: Operation, context: object) -> None:
        services = self._socket.services
        self._changing = operation.kind is OperationType.MUTATION
        try:
            async with asyncio.timeout(services.connections.limits.execution_timeout):
                response = await services.engine.execute(operation, self._request.variables, context)
        except TimeoutError:
            raise ServiceUnavailable(retry_after=1) from None
        await self._next(services.engine.encode(response))
        self._end(complete_frame(self._id))

    async def _stream(self, operation: Operation, context: object) -> None:
        engine = self._socket.services.engine
        async with aclosing(await engine.subscribe(operation, self._request.variables, context)) as stream:
            async for response in stream:
                if not response.has_data:
                    self._end(error_frame(self._id, engine.encode(response)))
                    return
                await self._next(engine.encode(response))
        self._end(complete_frame(self._id))

    async def _next(self, body: bytes) -> None:
        # While this waits, the source conflates: a slow reader costs no queue here either.
        while self._listening and self._socket.protocol.pending:
            await self._socket.drained()
        if self._listening:
            self._socket.protocol.write(Payload(body).frame(next_prefix(self._id)))

    def _fail(self, error: Exception) -> None:
        self._end(error_frame(self._id, self._socket.services.shared.failure(error)))

    def _end(self, frame: bytes) -> None:
        if self._listening:
            self._socket.protocol.write(frame)
            self._socket.forget(self._id, self)
