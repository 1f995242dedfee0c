"""A client of graphql-transport-ws that sends exactly the messages that a test gives it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.wait_until import TIMEOUT

TICKS = "subscription { ticks { kind version } }"


class SocketClient:
    """A connection; every wait has a time-out."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: object) -> None:
        """Send a message as JSON."""
        await self.connection.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(TIMEOUT):
            message: dict[str, Any] = json.loads(await self.connection.recv(decode=True))
        return message

    async def close_code(self) -> tuple[int, str]:
        """Wait until the server closes the connection, and return the code and the reason; skip messages before."""
        try:
            async with asyncio.timeout(TIMEOUT):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")

    async def init(self, payload: dict[str, Any] | None = None) -> Self:
        """Send `connection_init` and wait for the acknowledgement."""
        await self.say({"type": "connection_init", "payload": payload})
        assert await self.hear() == {"type": "connection_ack"}
        return self

    async def subscribe(self, query: str = TICKS, *, id: str = "1", **payload: Any) -> None:
        """Send `subscribe`."""
        await self.say({"id": id, "type": "subscribe", "payload": {"query": query, **payload}})

    async def complete(self, id: str = "1") -> None:
        """Send `complete`."""
        await self.say({"id": id, "type": "complete"})

    async def hear_next(self, id: str = "1") -> dict[str, Any]:
        """Return the payload of the next message, which must be a result of this operation."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("next", id), message
        payload: dict[str, Any] = message["payload"]
        return payload

    async def hear_tick(self, id: str = "1") -> tuple[str, int]:
        """Return kind and number of the next message of the subscription `ticks`."""
        tick = (await self.hear_next(id))["data"]["ticks"]
        return tick["kind"], tick["version"]

    async def hear_error(self, id: str = "1") -> dict[str, Any]:
        """Return the only error of this operation, which must be the next message."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("error", id), message
        (error,) = message["payload"]
        return dict(error)

    async def is_alive(self) -> bool:
        """Return whether the server answers a ping; skip messages before."""
        await self.say({"type": "ping"})
        while True:
            if (await self.hear())["type"] == "pong":
                return True


@asynccontextmanager
async def connecting(
    url: str, *, subprotocols: tuple[str, ...] = ("graphql-transport-ws",), **options: Any
) -> AsyncIterator[SocketClient]:
    """Open a connection without sending a message."""
    offered = [Subprotocol(name) for name in subprotocols]
    async with connect(url, subprotocols=offered or None, compression=None, proxy=None, **options) as connection:
        yield SocketClient(connection)


@asynccontextmanager
async def connected(url: str, name: str | None = None, **options: Any) -> AsyncIterator[SocketClient]:
    """Open an acknowledged connection, anonymously or as the user `name`."""
    async with connecting(url, **options) as client:
        yield await client.init({"authorization": name} if name else None)
