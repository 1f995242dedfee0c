"""A small client of graphql-transport-ws that says exactly what it is told to."""

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
    """Waits for every message under a timeout."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(TIMEOUT):
            message: dict[str, Any] = json.loads(await self.connection.recv(decode=True))
        return message

    async def close_code(self) -> tuple[int, str]:
        """The code and the reason the server closes with; messages before that are dropped."""
        try:
            async with asyncio.timeout(TIMEOUT):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")

    async def init(self, payload: dict[str, Any] | None = None) -> Self:
        await self.say({"type": "connection_init", "payload": payload})
        assert await self.hear() == {"type": "connection_ack"}
        return self

    async def subscribe(self, query: str = TICKS, *, id: str = "1", **payload: Any) -> None:
        await self.say({"id": id, "type": "subscribe", "payload": {"query": query, **payload}})

    async def complete(self, id: str = "1") -> None:
        await self.say({"id": id, "type": "complete"})

    async def hear_next(self, id: str = "1") -> dict[str, Any]:
        """The payload of the next message, which must be a result of this operation."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("next", id), message
        payload: dict[str, Any] = message["payload"]
        return payload

    async def hear_tick(self, id: str = "1") -> tuple[str, int]:
        tick = (await self.hear_next(id))["data"]["ticks"]
        return tick["kind"], tick["version"]

    async def hear_error(self, id: str = "1") -> dict[str, Any]:
        """The one error this operation ended with."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("error", id), message
        (error,) = message["payload"]
        return dict(error)

    async def is_alive(self) -> bool:
        """True when the server answers a ping; results that come before are dropped."""
        await self.say({"type": "ping"})
        while True:
            if (await self.hear())["type"] == "pong":
                return True


@asynccontextmanager
async def connecting(
    url: str, *, subprotocols: tuple[str, ...] = ("graphql-transport-ws",), **options: Any
) -> AsyncIterator[SocketClient]:
    """A socket that has not said anything yet."""
    offered = [Subprotocol(name) for name in subprotocols]
    async with connect(url, subprotocols=offered or None, compression=None, proxy=None, **options) as connection:
        yield SocketClient(connection)


@asynccontextmanager
async def connected(url: str, name: str | None = None, **options: Any) -> AsyncIterator[SocketClient]:
    """A socket after `connection_ack`, anonymous or of the user called `name`."""
    async with connecting(url, **options) as client:
        yield await client.init({"authorization": name} if name else None)
