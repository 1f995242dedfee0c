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
from app.transport.sockets.frames import ACK, PONG, error_frame
from app.transport.sockets.messages import Complete, ConnectionInit, InvalidMessage, Ping, Subscribe, decode
from app.transport.sockets.operations import MultiplexedOperation, PrivateOperation, Running
from app.transport.sockets.websocket_protocol import SocketProtocol


class Socket:
    """The server's side of the protocol, from the handshake to the close.

    It has no task: messages come as calls from the protocol, deadlines as calls from `TimerWheel`. Whatever a client
    sends, the answer is a message or a close code, never an exception.
    """

    __slots__ = (
        "_acknowledged",
        "_expires_at",
        "_idle_at",
        "_initialisation",
        "_message_at",
        "_operations",
        "_ping_at",
        "_scope",
        "_user_id",
        "_waiter",
        "bucket",
        "context",
        "id",
        "protocol",
        "services",
    )

    def __init__(self, services: SocketDependencies, protocol: SocketProtocol, scope: Scope) -> None:
        """Take over the socket on `protocol`; the client has `init_timeout` seconds from now on."""
        connections = services.connections
        self.id = connections.new_id()
        self.services = services
        self.protocol = protocol
        self.bucket: int | None = None
        self.context: SocketContext | None = None
        self._scope: Scope | None = scope
        self._initialisation: asyncio.Task[None] | None = None
        self._acknowledged = False
        self._user_id: str | None = None
        self._operations: dict[str, Running] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._message_at = 0.0
        self._expires_at = self._idle_at = self._ping_at = math.inf
        protocol.adopt(self)
        connections.add(self)
        connections.timer_wheel.set(self, connections.loop.time() + connections.limits.init_timeout)

    def close(self, code: CloseCode, reason: str) -> None:
        """Close with `code`, unless the socket is closing already."""
        self.protocol.close(code, reason)

    # Calls from the protocol

    def received(self, text: bytes) -> None:
        if not self._within_rate():
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
                self._initialise(message.payload)
            case Ping():
                self.protocol.write(PONG)

    def received_binary(self) -> None:
        self.close(CloseCode.BAD_REQUEST, "The message is binary")

    def pinged(self) -> None:
        self._within_rate()

    def resumed(self) -> None:
        self._wake()
        for operation in list(self._operations.values()):
            operation.flush()

    def closed(self, code: int | None) -> None:
        connections = self.services.connections
        connections.remove(self, self._user_id, code)
        connections.operations -= len(self._operations)
        if self._initialisation is not None:
            self._initialisation.cancel()
            self._initialisation = None
        operations, self._operations = self._operations, {}
        for operation in operations.values():
            operation.cancel()
        self._scope = None
        if self.context is not None and self.context.caller is not None:
            self.context.caller.signing_key.unlisten(self._key_withdrawn)
        self._wake()

    # Calls from Deadlines

    def on_expiry(self, now: float) -> float | None:
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
            self._ping_at = now + self.services.connections.limits.ping_interval
            self.protocol.ping()
        return min(self._expires_at, self._idle_at, self._ping_at)

    # Calls from operations

    async def drained(self) -> None:
        """Wait until the socket can be written to again, or is closed."""
        if self._waiter is None:
            self._waiter = self.services.connections.loop.create_future()
        await asyncio.shield(self._waiter)

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.set_result(None)
            self._waiter = None

    def share(self, operation_id: str, operation: Operation, variables: dict[str, Any] | None) -> None:
        """Go on with a running operation as a member of its shared execution. Raises Refusal."""
        member = MultiplexedOperation(self, operation_id)
        member.group = self.services.shared.join(operation, variables, member)
        self._operations[operation_id] = member

    def forget(self, operation_id: str, operation: Running) -> None:
        """`operation` has ended by itself."""
        if self._operations.get(operation_id) is operation:
            self._drop(operation_id)

    # The protocol

    def _initialise(self, payload: dict[str, Any]) -> None:
        if self._acknowledged or self._initialisation is not None:
            self.close(CloseCode.TOO_MANY, "Too many initialisation requests")
            return
        self._initialisation = self.services.connections.run(self._authenticate(payload))

    async def _authenticate(self, payload: dict[str, Any]) -> None:
        services = self.services
        try:
            assert self._scope is not None
            context = await services.contexts.of_socket(self._scope, payload)
            if context.caller is not None:
                self._user_id = str(context.caller.user_id)
                await services.connections.register(self._user_id, self)
        except Exception as error:
            if not isinstance(error, DomainError):
                services.connections.loop.call_exception_handler(
                    {"message": "connection_init failed", "exception": error}
                )
            self.close(code_for(error), reason_for(error))
        else:
            self._acknowledge(context)

    def _acknowledge(self, context: SocketContext) -> None:
        connections = self.services.connections
        now = connections.loop.time()
        self._scope = self._initialisation = None
        self.context = context
        self._acknowledged = True
        self._idle_at = now + connections.limits.idle_timeout
        self._ping_at = now + connections.limits.ping_interval
        if context.caller is not None:
            self._expires_at = now + context.caller.expires_at - connections.clock()
            if not context.caller.signing_key.is_trusted:  # It was when the token was verified.
                self._key_withdrawn()
                return
            context.caller.signing_key.listen(self._key_withdrawn)
        self.protocol.write(ACK)
        self._arrange()

    def _key_withdrawn(self) -> None:
        self.close(CloseCode.FORBIDDEN, "The key of the access token was withdrawn")

    def _subscribe(self, message: Subscribe) -> None:
        if not self._acknowledged:
            self.close(CloseCode.UNAUTHORIZED, "Unauthorized")
            return
        if message.id in self._operations:
            self.close(CloseCode.DUPLICATE_OPERATION, f"Subscriber for {message.id} already exists")
            return
        limit = self.services.connections.limits.operations
        if len(self._operations) >= limit:
            error = GraphQLError(f"At most {limit} operations may run on one socket.")
            refusal = RequestError.because(error, ErrorCode.RATE_LIMITED)
            self.protocol.write(error_frame(message.id, self.services.shared.failure(refusal)))
            return
        self._operations[message.id] = PrivateOperation(self, message)
        self._idle_at = math.inf
        self.services.connections.operations += 1

    def _complete(self, operation_id: str) -> None:
        operation = self._operations.get(operation_id)
        if operation is not None:
            operation.cancel()
            self._drop(operation_id)

    def _drop(self, operation_id: str) -> None:
        connections = self.services.connections
        del self._operations[operation_id]
        connections.operations -= 1
        if not self._operations:
            self._idle_at = connections.loop.time() + connections.limits.idle_timeout
            self._arrange()

    def _arrange(self) -> None:
        self.services.connections.timer_wheel.set(self, min(self._expires_at, self._idle_at, self._ping_at))

    def _within_rate(self) -> bool:
        """Count one message. Returns False, and closes, when the client sends too many."""
        limits = self.services.connections.limits
        now = self.services.connections.loop.time()
        # The time at which this message would have been due at the permitted rate may lie ahead by one burst.
        earliest = max(self._message_at, now)
        self._message_at = earliest + 1 / limits.messages_per_second
        if earliest - now <= limits.message_burst / limits.messages_per_second:
            return True
        self.close(CloseCode.TOO_MANY, "Too many messages")
        return False
