"""One socket speaking graphql-transport-ws."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from graphql import GraphQLError

from app.domain.errors import DomainError, ErrorCode
from app.execution import Operation, RequestError
from app.transport.sockets.close_codes import CloseCode, code_for, reason_for
from app.transport.sockets.dependencies import Scope, SocketContext, SocketDependencies
from app.transport.sockets.frames import ACK_FRAME, PONG_FRAME, error_frame
from app.transport.sockets.messages import Complete, ConnectionInit, InvalidMessage, Ping, Subscribe, decode
from app.transport.sockets.operations import MultiplexedOperation, PrivateOperation, RunningOperation
from app.transport.sockets.websocket_protocol import SocketProtocol


class Socket:
    """The server's side of the protocol, from the handshake to the close.

    It has no task: messages come as calls from the protocol, deadlines as calls from `TimerWheel`. Any message of a
    client leads to a message or a close code, never to an exception.
    """

    __slots__ = (
        "_acknowledged",
        "_close_reason",
        "_expires_at",
        "_idle_at",
        "_init_task",
        "_message_at",
        "_operations",
        "_ping_at",
        "_scope",
        "_user_id",
        "_waiter",
        "address",
        "bucket",
        "context",
        "dependencies",
        "id",
        "protocol",
    )

    def __init__(self, dependencies: SocketDependencies, protocol: SocketProtocol, scope: Scope, address: str) -> None:
        """Attach to `protocol`; the client has `init_timeout` seconds from now on to send `connection_init`.

        Args:
            dependencies: What all sockets share.
            protocol: The connection.
            scope: The handshake.
            address: The client's address, by which its sockets are counted.
        """
        connections = dependencies.connections
        self.id = connections.new_id()
        self.address = address
        self.dependencies = dependencies
        self.protocol = protocol
        self.bucket: int | None = None
        self.context: SocketContext | None = None
        self._scope: Scope | None = scope
        self._init_task: asyncio.Task[None] | None = None
        self._acknowledged = False
        self._close_reason = ""
        self._user_id: str | None = None
        self._operations: dict[str, RunningOperation] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._message_at = 0.0
        self._expires_at = self._idle_at = self._ping_at = math.inf
        protocol.attach(self)
        connections.add(self)
        connections.timer_wheel.set(self, connections.loop.time() + connections.limits.init_timeout)

    def close(self, code: CloseCode, reason: str) -> None:
        """Close with `code`, unless the socket is closing already."""
        self._close_reason = reason
        self.protocol.close(code, reason)

    # Calls from the protocol

    def received(self, text: bytes) -> None:
        """Handle a text message."""
        self.dependencies.connections.traffic.received += 1
        if not self._is_within_rate():
            return
        try:
            message = decode(text)
        except InvalidMessage as error:
            self.close(CloseCode.BAD_REQUEST, str(error))
            return
        match message:
            case Subscribe():
                self._subscribe(message)
            case Complete():
                self._complete(message.id)
            case ConnectionInit():
                self._init(message.payload)
            case Ping():
                self.protocol.write(PONG_FRAME)

    def received_binary(self) -> None:
        """Refuse a binary message."""
        self.close(CloseCode.BAD_REQUEST, "The message is binary")

    def pinged(self) -> None:
        """Count a ping or a pong."""
        self._is_within_rate()

    def sent(self, frame: bytes) -> None:
        """Count a message that was written."""
        self.dependencies.connections.traffic.count_sent(frame)

    def stalled(self) -> None:
        """Count a client that does not read."""
        self.dependencies.connections.traffic.stalled += 1

    def resumed(self) -> None:
        """Let operations write again."""
        self._notify_writable()
        for operation in list(self._operations.values()):
            operation.flush()

    def closed(self, code: int | None) -> None:
        """End all operations of the socket."""
        connections = self.dependencies.connections
        connections.remove(self, self._user_id, code)
        if code is not None or self.protocol.is_lost:
            connections.log_close(self, self._user_id, code, self._close_reason)
        connections.operations -= len(self._operations)
        if self._init_task is not None:
            self._init_task.cancel()
            self._init_task = None
        operations, self._operations = self._operations, {}
        for operation in operations.values():
            operation.cancel()
        self._scope = None
        if self.context is not None and self.context.caller is not None:
            self.context.caller.signing_key.unlisten(self._on_key_withdrawn)
        self._notify_writable()

    # Calls from TimerWheel

    def on_expiry(self, now: float) -> float | None:
        """Close the socket if a deadline has passed, or ping the client. Returns the next deadline."""
        if not self._acknowledged:
            self.close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
            return None
        if now >= self._expires_at:
            self.close(CloseCode.FORBIDDEN, "The access token has expired")
            return None
        if now >= self._idle_at:
            self.close(CloseCode.IDLE, "No operation for a long time")
            return None
        if now >= self._ping_at:
            self._ping_at = now + self.dependencies.connections.limits.ping_interval
            self.protocol.ping()
        return min(self._expires_at, self._idle_at, self._ping_at)

    # Calls from operations

    async def wait_until_writable(self) -> None:
        """Wait until the socket can be written to again, or is closed."""
        if self._waiter is None:
            self._waiter = self.dependencies.connections.loop.create_future()
        await asyncio.shield(self._waiter)

    def _notify_writable(self) -> None:
        if self._waiter is not None:
            self._waiter.set_result(None)
            self._waiter = None

    def join_shared_execution(self, operation_id: str, operation: Operation, variables: dict[str, Any] | None) -> None:
        """Continue an operation as a member of its shared execution. Raises RequestError."""
        member = MultiplexedOperation(self, operation_id)
        assert self.context is not None
        member.group = self.dependencies.multiplexer.join(operation, variables, member, self.context.owner)
        self._operations[operation_id] = member

    def remove_operation(self, operation_id: str, operation: RunningOperation) -> None:
        """Remove an operation that has ended by itself."""
        if self._operations.get(operation_id) is operation:
            self._remove(operation_id)

    # The protocol

    def _init(self, payload: dict[str, Any]) -> None:
        if self._acknowledged or self._init_task is not None:
            self.close(CloseCode.TOO_MANY, "Too many initialisation requests")
            return
        self._init_task = self.dependencies.connections.run(self._authenticate(payload))

    async def _authenticate(self, payload: dict[str, Any]) -> None:
        dependencies = self.dependencies
        try:
            assert self._scope is not None
            context = await dependencies.contexts.from_socket(self._scope, payload)
            if context.caller is not None:
                self._user_id = str(context.caller.user_id)
                await dependencies.connections.register(self._user_id, self)
        except Exception as error:
            if not isinstance(error, DomainError):
                dependencies.connections.loop.call_exception_handler(
                    {"message": "connection_init failed", "exception": error}
                )
            self.close(code_for(error), reason_for(error))
        else:
            self._acknowledge(context)

    def _acknowledge(self, context: SocketContext) -> None:
        connections = self.dependencies.connections
        now = connections.loop.time()
        self._scope = self._init_task = None
        self.context = context
        self._acknowledged = True
        self._idle_at = now + connections.limits.idle_timeout
        self._ping_at = now + connections.limits.ping_interval
        if context.caller is not None:
            self._expires_at = now + context.caller.expires_at - connections.clock()
            if not context.caller.signing_key.is_trusted:  # Withdrawn since the token was verified.
                self._on_key_withdrawn()
                return
            context.caller.signing_key.listen(self._on_key_withdrawn)
        self.protocol.write(ACK_FRAME)
        self._schedule_timer()

    def _on_key_withdrawn(self) -> None:
        self.close(CloseCode.FORBIDDEN, "The key of the access token was withdrawn")

    def _subscribe(self, message: Subscribe) -> None:
        if not self._acknowledged:
            self.close(CloseCode.UNAUTHORIZED, "Unauthorized")
            return
        if message.id in self._operations:
            self.close(CloseCode.DUPLICATE_OPERATION, f"Subscriber for {message.id} already exists")
            return
        limit = self.dependencies.connections.limits.max_operations
        if len(self._operations) >= limit:
            error = GraphQLError(f"At most {limit} operations may run on one socket.")
            refusal = RequestError.from_error(error, ErrorCode.RATE_LIMITED)
            self.protocol.write(error_frame(message.id, self.dependencies.multiplexer.encode_failure(refusal)))
            return
        self._operations[message.id] = PrivateOperation(self, message)
        self._idle_at = math.inf
        self.dependencies.connections.operations += 1

    def _complete(self, operation_id: str) -> None:
        operation = self._operations.get(operation_id)
        if operation is not None:
            operation.cancel()
            self._remove(operation_id)

    def _remove(self, operation_id: str) -> None:
        connections = self.dependencies.connections
        del self._operations[operation_id]
        connections.operations -= 1
        if not self._operations:
            self._idle_at = connections.loop.time() + connections.limits.idle_timeout
            self._schedule_timer()

    def _schedule_timer(self) -> None:
        self.dependencies.connections.timer_wheel.set(self, min(self._expires_at, self._idle_at, self._ping_at))

    def _is_within_rate(self) -> bool:
        """Count one message. Returns False, and closes the socket, when the client sends too many."""
        limits = self.dependencies.connections.limits
        now = self.dependencies.connections.loop.time()
        # The time at which this message would have been due at the permitted rate may lie ahead by one burst.
        earliest = max(self._message_at, now)
        self._message_at = earliest + 1 / limits.messages_per_second
        if earliest - now <= limits.message_burst / limits.messages_per_second:
            return True
        self.close(CloseCode.TOO_MANY, "Too many messages")
        return False
