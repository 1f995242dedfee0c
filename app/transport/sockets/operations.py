"""The operations of one socket: memberships in shared executions, and executions of its own."""

from __future__ import annotations

from contextlib import aclosing, nullcontext
from copy import copy
from time import perf_counter
from typing import Any, Protocol

from graphql import GraphQLError, OperationType

from app.execution import BoundOperation, Operation, RequestError
from app.telemetry.requests import current_request
from app.transport.errors import BadRequest, DocumentRefused
from app.transport.multiplexing.group import SubscriberGroup
from app.transport.multiplexing.payload import Payload, conflate
from app.transport.sockets.close_codes import CloseCode
from app.transport.sockets.dependencies import SocketContext, SocketDependencies
from app.transport.sockets.frames import complete_frame, error_frame, next_prefix
from app.transport.sockets.messages import Subscribe
from app.transport.sockets.websocket_protocol import SocketProtocol

_SPAN_ATTRIBUTES = {"network.protocol.name": "websocket"}


class RunningOperation(Protocol):
    """An operation that runs on a socket."""

    def cancel(self) -> None:
        """Write nothing more, and end the operation where that is safe."""

    def flush(self) -> None:
        """Write what is pending: the socket is writable again."""


class OperationHost(Protocol):
    """The socket, as its operations see it."""

    dependencies: SocketDependencies
    protocol: SocketProtocol
    context: SocketContext | None

    def close(self, code: CloseCode, reason: str) -> None:
        """Close the socket with `code`, unless it is closing."""

    async def wait_until_writable(self) -> None:
        """Wait until the socket can be written to again, or is closed."""

    def join_shared_execution(self, operation_id: str, operation: Operation, variables: dict[str, Any] | None) -> None:
        """Continue an operation as a member of its shared execution. Raises RequestError."""

    def remove_operation(self, operation_id: str, operation: RunningOperation) -> None:
        """Remove an operation that has ended by itself."""


class MultiplexedOperation:
    """A membership in a shared execution. It writes ready frames to the transport and has no task.

    While the kernel holds back what was written before, it keeps the newest state instead of writing.
    """

    __slots__ = ("_host", "_id", "_pending", "_prefix", "_traffic", "_transport", "group")

    def __init__(self, host: OperationHost, operation_id: str) -> None:
        self._host = host
        self._id = operation_id
        self._prefix = next_prefix(operation_id)
        self._transport = host.protocol.transport
        self._traffic = host.dependencies.connections.traffic
        self._pending: tuple[Payload, ...] = ()
        self.group: SubscriberGroup | None = None

    def next(self, payload: Payload) -> None:
        """Write a state, or keep it while the transport is congested."""
        if self._pending or self._transport.get_write_buffer_size():
            pending = conflate(self._pending, payload)
            self._host.dependencies.multiplexer.counters.superseded += len(self._pending) + 1 - len(pending)
            self._pending = pending
        else:
            # As `_write` does, without the calls: this happens for every socket of every update.
            frame, traffic = payload.frame(self._prefix), self._traffic
            self._transport.write(frame)
            traffic.sent += 1
            traffic.sent_bytes += len(frame)

    def flush(self) -> None:
        """Write pending states until the transport is congested again."""
        while self._pending and not self._transport.get_write_buffer_size():
            payload, *rest = self._pending
            self._pending = tuple(rest)
            self._write(payload.frame(self._prefix))

    def fail(self, body: bytes) -> None:
        """Write the `error` message."""
        self._end(error_frame(self._id, body))

    def complete(self) -> None:
        """Write the `complete` message."""
        self._end(complete_frame(self._id))

    def cancel(self) -> None:
        """Leave the shared execution."""
        if self.group is not None:
            self.group.leave(self)

    def _end(self, frame: bytes) -> None:
        # Written however slow the client is: it happens once, and the last state comes before it.
        for payload in self._pending:
            self._write(payload.frame(self._prefix))
        self._pending = ()
        self._write(frame)
        self._host.remove_operation(self._id, self)

    def _write(self, frame: bytes) -> None:
        self._transport.write(frame)
        self._traffic.count_sent(frame)


class PrivateOperation:
    """An operation in a task of its own: prepared and admitted there, then executed or joined to a shared execution.

    Executed here are queries, mutations, and subscriptions whose results depend on the viewer. Each gets a context of
    its own, because operations must not share the state of a context.
    """

    __slots__ = ("_bound", "_host", "_id", "_is_mutating", "_is_wanted", "_request", "_started", "_task")

    def __init__(self, host: OperationHost, message: Subscribe) -> None:
        self._host = host
        self._id = message.id
        self._request = message.request
        self._started = perf_counter()
        self._bound: BoundOperation | None = None
        self._is_wanted = True
        """The client has not cancelled the operation, and the socket is open."""
        self._is_mutating = False
        """A mutation has begun: it is finished whether or not its result is wanted."""
        self._task = host.dependencies.connections.run(self._run())

    def cancel(self) -> None:
        """Write nothing more, and cancel the task unless a mutation has begun."""
        self._is_wanted = False
        if not self._is_mutating:
            self._task.cancel()

    def flush(self) -> None:
        """Do nothing: the task waits for the socket by itself."""

    async def _run(self) -> None:
        try:
            await self._execute()
        except Exception as error:
            self._host.dependencies.metrics.record_error(self._bound, self._started, error)
            self._answer(error)

    def _answer(self, error: Exception) -> None:
        match error:
            case BadRequest():
                if self._is_wanted:
                    self._host.close(CloseCode.BAD_REQUEST, error.message)
            case DocumentRefused():
                self._fail(RequestError.from_error(GraphQLError(error.message), error.code))
            case _:
                self._fail(error)

    async def _execute(self) -> None:
        context = copy(self._host.context)
        dependencies = self._host.dependencies
        dependencies.contexts.enter(context)
        bound = self._bound = await dependencies.operations.prepare(self._request, context)
        operation = bound.operation
        if operation.kind is not OperationType.SUBSCRIPTION:
            await self._execute_once(bound, context)
            return
        dependencies.metrics.record_subscription(operation)
        if operation.shared:
            self._host.join_shared_execution(self._id, operation, self._request.variables)
        else:
            await self._stream(operation, context)

    async def _execute_once(self, bound: BoundOperation, context: object) -> None:
        operations = self._host.dependencies.operations
        self._is_mutating = bound.operation.kind is OperationType.MUTATION
        tracer = self._host.dependencies.tracer
        with nullcontext() if tracer is None else tracer.request("GraphQL over WebSocket", _SPAN_ATTRIBUTES) as span:
            if span is not None and (facts := current_request.get()) is not None:
                facts.trace_id = span.trace_id
            response = await operations.execute(bound, context)
        self._host.dependencies.metrics.record_response(bound.operation, self._started, response, context)
        await self._write_next(operations.engine.encode(response))
        self._end(complete_frame(self._id))

    async def _stream(self, operation: Operation, context: object) -> None:
        engine = self._host.dependencies.operations.engine
        async with aclosing(await engine.subscribe(operation, self._request.variables, context)) as stream:
            async for response in stream:
                if not response.has_data:
                    self._end(error_frame(self._id, engine.encode(response)))
                    return
                await self._write_next(engine.encode(response))
                self._host.dependencies.multiplexer.observe_lag(response)
        self._end(complete_frame(self._id))

    async def _write_next(self, body: bytes) -> None:
        # While this waits, the source conflates: a slow reader costs no queue here either.
        while self._is_wanted and self._host.protocol.pending:
            await self._host.wait_until_writable()
        if self._is_wanted:
            self._host.protocol.write(Payload(body).frame(next_prefix(self._id)))

    def _fail(self, error: Exception) -> None:
        self._end(error_frame(self._id, self._host.dependencies.multiplexer.encode_failure(error)))

    def _end(self, frame: bytes) -> None:
        if self._is_wanted:
            self._host.protocol.write(frame)
            self._host.remove_operation(self._id, self)
