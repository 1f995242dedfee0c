"""The moment at which a socket passes from the ASGI application to its session."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.exceptions import InvalidStatus

from tests.support.graphql.sample_server import SampleServer, serve_sockets
from tests.support.graphql.socket_client import connecting
from tests.support.wait_until import TIMEOUT, until

HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: toy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
PING = b"\x81\x8f\0\0\0\0" + b'{"type":"ping"}'
PONG = b"\x81\x0f" + b'{"type":"pong"}'


class Gate:
    """Middleware that takes its time."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.passed = asyncio.Event()

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            self.reached.set()
            await self.opened.wait()
            try:
                await app(scope, receive, send)
            finally:
                self.passed.set()

        return gated


async def _handshake(server: SampleServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HANDSHAKE)
    return reader, writer


async def test_a_client_that_speaks_before_it_is_accepted_is_heard_only_afterwards() -> None:
    gate = Gate()
    async with serve_sockets(wrap=gate) as server:
        reader, writer = await _handshake(server)
        await asyncio.wait_for(gate.reached.wait(), TIMEOUT)
        writer.write(PING)
        (connection,) = server.server.server_state.connections
        await until(lambda: connection.read_paused)  # type: ignore[union-attr]
        gate.opened.set()
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT)
        writer.write(PING)
        assert await asyncio.wait_for(reader.readexactly(len(PONG)), TIMEOUT) == PONG
        writer.close()


async def test_a_client_that_is_gone_before_it_is_accepted_leaves_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate()
    async with serve_sockets(wrap=gate) as server:
        _, writer = await _handshake(server)
        await asyncio.wait_for(gate.reached.wait(), TIMEOUT)
        writer.transport.abort()
        await until(lambda: not server.server.server_state.connections)
        gate.opened.set()
        await asyncio.wait_for(gate.passed.wait(), TIMEOUT)
        assert len(server.connections) == 0
    assert "Traceback" not in caplog.text


async def test_a_server_that_ends_before_a_socket_is_accepted_answers_all_the_same() -> None:
    gate = Gate()
    async with serve_sockets(wrap=gate) as server:
        reader, writer = await _handshake(server)
        await asyncio.wait_for(gate.reached.wait(), TIMEOUT)
        server.server.should_exit = True
        assert b"500" in await asyncio.wait_for(reader.readline(), TIMEOUT)
        gate.opened.set()
        writer.close()


async def test_an_application_that_fails_before_it_accepts_answers_with_500() -> None:
    def failing(app: ASGIApp) -> ASGIApp:
        async def fail(scope: Scope, receive: Receive, send: Send) -> None:
            raise ValueError

        return fail

    async with serve_sockets(wrap=failing) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connecting(server.url):
                pass
        assert refused.value.response.status_code == 500
        await until(lambda: not server.server.server_state.connections)


async def test_a_server_without_the_protocol_is_told_so() -> None:
    async with serve_sockets(protocol="websockets-sansio") as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connecting(server.url):
                pass
        assert refused.value.response.status_code == 500


async def test_messages_of_one_packet_are_answered_until_one_closes() -> None:
    async with serve_sockets() as server:
        reader, writer = await _handshake(server)
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT)
        broken = b"\x81\x82\0\0\0\0[]"
        writer.write(PING + broken + broken + PING)
        assert await asyncio.wait_for(reader.readexactly(len(PONG)), TIMEOUT) == PONG
        frame = await asyncio.wait_for(reader.readexactly(4), TIMEOUT)
        assert (frame[0], int.from_bytes(frame[2:])) == (0x88, 4400)
        await asyncio.wait_for(reader.readexactly(frame[1] - 2), TIMEOUT)
        writer.write(b"\x88\x82\0\0\0\0\x11\x30")
        assert await asyncio.wait_for(reader.read(), TIMEOUT) == b""
        writer.close()
