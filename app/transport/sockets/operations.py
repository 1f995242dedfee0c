"""The operations of one socket: memberships in shared executions, and executions of its own."""

from __future__ import annotations

from contextlib import aclosing
from copy import copy
from typing import TYPE_CHECKING, Protocol

from graphql import OperationType

from app.execution import Operation
from app.transport.payload import Payload, conflate
from app.transport.sockets.frames import complete_frame, error_frame, next_prefix
from app.transport.sockets.messages import Subscribe

if TYPE_CHECKING:
    from app.transport.shared_group import Group
    from app.transport.sockets.socket import Socket


class Running(Protocol):
    """An operation that runs on a socket."""

    def cancel(self) -> None:
        """Nobody is interested any more: write nothing, and end it where that is safe."""

    def flush(self) -> None:
        """The socket can be written to again."""


class SharedOperation:
    """A membership in a shared execution. It writes ready frames to the transport and has no task.

    While the kernel holds back what was written before, it keeps the newest state instead of writing.
    """

    __slots__ = ("_id", "_owed", "_prefix", "_socket", "_transport", "group")

    def __init__(self, socket: Socket, operation_id: str) -> None:
        self._socket = socket
        self._id = operation_id
        self._prefix = next_prefix(operation_id)
        self._transport = socket.wire.transport
        self._owed: tuple[Payload, ...] = ()
        self.group: Group | None = None

    def next(self, payload: Payload) -> None:
        if self._owed or self._transport.get_write_buffer_size():
            owed = conflate(self._owed, payload)
            self._socket.services.shared.superseded += len(self._owed) + 1 - len(owed)
            self._owed = owed
        else:
            self._transport.write(payload.frame(self._prefix))

    def flush(self) -> None:
        while self._owed and not self._transport.get_write_buffer_size():
            payload, *rest = self._owed
            self._owed = tuple(rest)
            self._transport.write(payload.frame(self._prefix))

    def fail(self, body: bytes) -> None:
        self._end(error_frame(self._id, body))

    def complete(self) -> None:
        self._end(complete_frame(self._id))

    def _end(self, frame: bytes) -> None:
        # Written however slow the client is: it happens once, and the last state comes before it.
        for payload in self._owed:
            self._transport.write(payload.frame(self._prefix))
        self._owed = ()
        self._transport.write(frame)
        self._socket.forget(self._id, self)

    def cancel(self) -> None:
        if self.group is not None:
            self.group.leave(self)


class OwnOperation:
    """An operation in a task of its own: it passes the guard, and then joins a shared execution or is executed here.

    Executed here are queries, mutations, and subscriptions that show a viewer what others may not see. Each gets a
    context of its own, because fields of one operation must not meet the state of another.
    """

    __slots__ = ("_id", "_listening", "_operation", "_socket", "_task", "_variables")

    def __init__(self, socket: Socket, message: Subscribe, operation: Operation) -> None:
        self._socket = socket
        self._id = message.id
        self._operation = operation
        self._variables = message.variables
        self._listening = True
        self._task = socket.services.connections.run(self._run())

    def cancel(self) -> None:
        self._listening = False
        # A mutation is finished whether or not anybody waits for the result.
        if self._operation.kind is not OperationType.MUTATION:
            self._task.cancel()

    def flush(self) -> None:
        """Its task waits for the socket by itself."""

    async def _run(self) -> None:
        try:
            await self._execute()
        except Exception as error:
            self._end(error_frame(self._id, self._socket.services.shared.failure(error)))

    async def _execute(self) -> None:
        services, operation = self._socket.services, self._operation
        context = copy(self._socket.context)
        await services.guard(context, operation)
        if operation.kind is not OperationType.SUBSCRIPTION:
            response = await services.engine.execute(operation, self._variables, context)
            await self._next(services.engine.encode(response))
            self._end(complete_frame(self._id))
        elif operation.shared:
            self._socket.share(self._id, operation, self._variables)
        else:
            await self._stream(context)

    async def _stream(self, context: object) -> None:
        engine = self._socket.services.engine
        stream = await engine.subscribe(self._operation, self._variables, context)
        async with aclosing(stream):
            async for response in stream:
                if not response.has_data:
                    self._end(error_frame(self._id, engine.encode(response)))
                    return
                await self._next(engine.encode(response))
        self._end(complete_frame(self._id))

    async def _next(self, body: bytes) -> None:
        # While this waits, the source conflates: a slow reader costs no queue here either.
        while self._listening and self._socket.wire.pending:
            await self._socket.drained()
        if self._listening:
            self._socket.wire.write(Payload(body).frame(next_prefix(self._id)))

    def _end(self, frame: bytes) -> None:
        if self._listening:
            self._socket.wire.write(frame)
            self._socket.forget(self._id, self)
