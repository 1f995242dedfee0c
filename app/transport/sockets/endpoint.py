"""Where sockets come in: an ASGI application for the WebSocket side of `/graphql`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from starlette.types import Receive, Scope, Send

from app.transport.sockets.close_codes import CloseCode
from app.transport.sockets.dependencies import SocketDependencies
from app.transport.sockets.socket import Socket
from app.transport.sockets.websocket_protocol import EXTENSION, SocketProtocol

SUBPROTOCOL = "graphql-transport-ws"


class SocketEndpoint:
    """Accepts a socket and hands it over to a `Socket`; the ASGI call is over when that is done.

    The server must run with `SocketProtocol` (`uvicorn --ws`): plain ASGI sockets cannot be written to without a task
    for each, nor freed of a client that stopped reading.
    """

    def __init__(self, services: SocketDependencies, *, allowed: Callable[[Scope], bool]) -> None:
        """`allowed` judges Host and Origin of the handshake; what it does not allow gets HTTP 403."""
        self._services = services
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket. Raises RuntimeError when the server does not run with `SocketProtocol`."""
        protocol = scope.get("extensions", {}).get(EXTENSION)
        if not isinstance(protocol, SocketProtocol):
            raise RuntimeError("The server must run with app.transport.sockets.websocket_protocol.SocketProtocol")
        await receive()
        if not self._allowed(scope):
            await send({"type": "websocket.close"})
        elif SUBPROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await self._refuse(send, CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, f"Only {SUBPROTOCOL} is spoken here")
        elif (code := self._services.connections.refusal()) is not None:
            self._services.connections.refused += 1
            await send(self._accept())
            await self._refuse(send, code, "Try again later")
        else:
            Socket(self._services, protocol, scope)
            await send(self._accept())

    def _accept(self) -> dict[str, Any]:
        return {"type": "websocket.accept", "subprotocol": SUBPROTOCOL}

    async def _refuse(self, send: Send, code: CloseCode, reason: str) -> None:
        # A browser learns nothing of a handshake that fails, so it succeeds and the code tells.
        await send(cast("dict[str, Any]", {"type": "websocket.close", "code": int(code), "reason": reason}))
