"""Clients that come and leave in every way. Each function is one visit; none of them expects anything of the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from random import Random
from urllib.parse import urlsplit

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tests.soak.server import SoakedServer
from tests.support.service import ISSUE, SUBMIT, Player, access_token

PERIODS = ("ALL_TIME", "DAILY", "WEEKLY", "MONTHLY")
BOARD = """
subscription($period: Period!, $limit: Int!) {
  leaderboardUpdates(period: $period, limit: $limit) {
    kind epoch version leaderboard { totalUsers entries { rank score user { id username } } }
  }
}
"""
AROUND = """
subscription($period: Period!, $id: ID!) {
  leaderboardUpdates(period: $period, aroundUserId: $id, radius: 2) { leaderboard { entries { rank score } } }
}
"""
MILESTONES = "subscription { milestones { kind user { id } } }"
FAILING = [{"nonsense": True}, {"type": "subscribe", "id": "1"}, {"type": "pong", "payload": 7}, {"type": "next"}]

Visit = Callable[[SoakedServer, Random], Awaitable[None]]
VISITS: list[Visit] = []


def visit(function: Visit) -> Visit:
    """Register a visit."""
    VISITS.append(function)
    return function


async def churn(server: SoakedServer, random: Random, *, visits: int, at_once: int) -> None:
    """Make so many visits, of every kind equally often, while players move the boards."""
    queue = [VISITS[number % len(VISITS)] for number in range(visits)]
    random.shuffle(queue)

    async def work() -> None:
        while queue:
            one = queue.pop()
            with contextlib.suppress(WebSocketException, OSError, TimeoutError, httpx2.HTTPError, EOFError):
                async with asyncio.timeout(30):
                    await one(server, random)

    playing = asyncio.create_task(_play(server, random))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


async def _play(server: SoakedServer, random: Random) -> None:
    while True:
        player = Player(server.http, access_token(server.settings, f"player-{random.randrange(20)}"))
        issued = await player.ask(ISSUE, input={"actionType": "COMPLETE_LEVEL"})
        if "actionToken" in issued["issueActionToken"]:
            await player.ask(SUBMIT, input={"actionToken": issued["issueActionToken"]["actionToken"]})
        await asyncio.sleep(0.05)


def _socket(server: SoakedServer) -> connect:
    return connect(
        server.url.replace("http", "ws", 1) + "/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        open_timeout=20,
        close_timeout=2,
        compression=None,
    )


async def _init(connection: ClientConnection, server: SoakedServer, random: Random) -> None:
    payload = {}
    if random.random() < 0.5:
        payload = {"authorization": f"Bearer {access_token(server.settings, f'watcher-{random.randrange(5)}')}"}
    await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
    await connection.recv()


async def _subscribe(connection: ClientConnection, random: Random, id: str = "1") -> None:
    kind = random.random()
    if kind < 0.7:
        payload = {"query": BOARD, "variables": {"period": random.choice(PERIODS), "limit": random.randint(1, 20)}}
    elif kind < 0.9:
        user = f"00000000-0000-4000-8000-{random.randrange(1000):012}"
        payload = {"query": AROUND, "variables": {"period": random.choice(PERIODS), "id": user}}
    else:
        payload = {"query": MILESTONES}
    await connection.send(json.dumps({"type": "subscribe", "id": id, "payload": payload}))


def _abort(connection: ClientConnection) -> None:
    """Reset the connection, as a client whose machine has failed."""
    peer = connection.transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


@visit
async def watch_and_complete(server: SoakedServer, random: Random) -> None:
    """Subscribe, read a message, complete, close."""
    async with _socket(server) as connection:
        await _init(connection, server, random)
        await _subscribe(connection, random)
        await asyncio.sleep(random.uniform(0, 0.5))
        await connection.send(json.dumps({"type": "complete", "id": "1"}))


@visit
async def watch_and_close(server: SoakedServer, random: Random) -> None:
    """Close with subscriptions open."""
    async with _socket(server) as connection:
        await _init(connection, server, random)
        for number in range(random.randint(1, 20)):
            await _subscribe(connection, random, str(number))
        await asyncio.sleep(random.uniform(0, 0.5))


@visit
async def watch_and_vanish(server: SoakedServer, random: Random) -> None:
    """Reset the connection with subscriptions open."""
    async with _socket(server) as connection:
        await _init(connection, server, random)
        for number in range(random.randint(1, 5)):
            await _subscribe(connection, random, str(number))
        await asyncio.sleep(random.uniform(0, 0.3))
        _abort(connection)


@visit
async def complete_at_once(server: SoakedServer, random: Random) -> None:
    """Complete before the first message, and reuse the id."""
    async with _socket(server) as connection:
        await _init(connection, server, random)
        for _ in range(5):
            await _subscribe(connection, random)
            await connection.send(json.dumps({"type": "complete", "id": "1"}))
        _abort(connection)


@visit
async def stop_reading(server: SoakedServer, random: Random) -> None:
    """Subscribe, read nothing, and vanish."""
    async with _socket(server) as connection:
        await _init(connection, server, random)
        connection.transport.pause_reading()
        for number in range(10):
            await _subscribe(connection, random, str(number))
        await asyncio.sleep(random.uniform(0, 1))
        _abort(connection)


@visit
async def never_init(server: SoakedServer, random: Random) -> None:
    """Open a socket and say nothing."""
    async with _socket(server) as connection:
        if random.random() < 0.5:
            await connection.wait_closed()
        _abort(connection)


@visit
async def break_the_protocol(server: SoakedServer, random: Random) -> None:
    """Send what the protocol does not allow, and be closed."""
    async with _socket(server) as connection:
        await _init(connection, server, random)
        await _subscribe(connection, random)
        await connection.send(json.dumps(random.choice(FAILING)))
        await connection.wait_closed()


@visit
async def half_a_handshake(server: SoakedServer, random: Random) -> None:
    """Vanish within the handshake or within a body."""
    address = urlsplit(server.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    head = b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    post = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    writer.write(random.choice((head, post)))
    await writer.drain()
    await asyncio.sleep(random.uniform(0, 0.2))
    writer.transport.abort()


@visit
async def stream_and_leave(server: SoakedServer, random: Random) -> None:
    """Subscribe over HTTP, and leave after a message or before it."""
    accept = random.choice(("text/event-stream", "multipart/mixed;subscriptionSpec=1.0, application/json"))
    body = {"query": BOARD, "variables": {"period": random.choice(PERIODS), "limit": random.randint(1, 20)}}
    async with (
        httpx2.AsyncClient(base_url=server.url, timeout=10) as http,
        http.stream("POST", "/graphql", json=body, headers={"accept": accept}) as response,
    ):
        if random.random() < 0.7:
            async for _ in response.aiter_bytes():
                break
            await asyncio.sleep(random.uniform(0, 0.5))
