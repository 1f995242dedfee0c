"""The GraphQL endpoint over WebSockets, an ASGI application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from starlette.types import Receive, Scope, Send

from app.domain.errors import DomainError
from app.telemetry.requests import log_refusal
from app.transport.sockets.close_codes import CloseCode, code_for, reason_for
from app.transport.sockets.connections import Refusal
from app.transport.sockets.dependencies import SocketDependencies
from app.transport.sockets.socket import Socket
from app.transport.sockets.websocket_protocol import EXTENSION, SocketProtocol

SUBPROTOCOL = "graphql-transport-ws"


class SocketEndpoint:
    """Accepts a socket and attaches a `Socket` to its protocol; then the ASGI call returns.

    The server must run with `SocketProtocol` (`uvicorn --ws`): plain ASGI sockets need a task each to be written to,
    and cannot be aborted when a client stops reading.
    """

    def __init__(self, dependencies: SocketDependencies, *, allowed: Callable[[Scope], bool]) -> None:
        """Create the endpoint. `allowed` checks the origin of a handshake, which is refused with HTTP 403 otherwise."""
        self._dependencies = dependencies
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket. Raises RuntimeError when the server does not run with `SocketProtocol`."""
        protocol = scope.get("extensions", {}).get(EXTENSION)
        if not isinstance(protocol, SocketProtocol):
            raise RuntimeError("The server must run with app.transport.sockets.websocket_protocol.SocketProtocol")
        await receive()
        if not self._allowed(scope):
            log_refusal(CloseCode.FORBIDDEN.name, "The origin of the page is not allowed")
            await send({"type": "websocket.close"})
            return
        if SUBPROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await self._refuse(send, CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, f"Only {SUBPROTOCOL} is spoken here")
            return
        connections = self._dependencies.connections
        refusal: Refusal | None
        try:
            address = await self._dependencies.contexts.admit_socket(scope)
            refusal = connections.refusal(address)
        except DomainError as error:
            refusal = Refusal(code_for(error), reason_for(error))
        if refusal is None:
            Socket(self._dependencies, protocol, scope, address)
            await send(self._accept())
        else:
            connections.refused += 1
            await send(self._accept())
            await self._refuse(send, refusal.code, refusal.reason)

    def _accept(self) -> dict[str, Any]:
        return {"type": "websocket.accept", "subprotocol": SUBPROTOCOL}

    async def _refuse(self, send: Send, code: CloseCode, reason: str) -> None:
        log_refusal(code.name, reason)
        # A browser hides why a handshake failed, so the handshake succeeds and the close code says why.
        await send(cast("dict[str, Any]", {"type": "websocket.close", "code": int(code), "reason": reason}))
