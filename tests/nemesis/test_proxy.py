"""What each fault of the network does to a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from tests.nemesis.proxy import Proxy
from tests.support.wait_until import TIMEOUT, until

SILENCE = 0.3
"""Seconds without an answer after which there is none; a slow machine can only make it longer."""


class Client:
    """A connection to a server that returns what it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, text: bytes) -> None:
        self.writer.write(text)
        await self.writer.drain()

    async def hear(self, size: int) -> bytes:
        async with asyncio.timeout(TIMEOUT):
            return await self.reader.readexactly(size)

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(SILENCE):
                await self.reader.readexactly(1)
        except TimeoutError:
            return True
        return False


@pytest.fixture
async def received() -> list[bytes]:
    return []


@pytest.fixture
async def proxy(received: list[bytes]) -> AsyncIterator[Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1000):
                received.append(chunk)
                writer.write(chunk)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1], Random(1)) as made:
        yield made


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def test_bytes_pass_in_both_directions(proxy: Proxy):
    async with connected(proxy) as client:
        await client.say(b"hello")
        assert await client.hear(5) == b"hello"


async def test_what_a_blocked_network_holds_back_arrives_when_it_is_healed(proxy: Proxy):
    async with connected(proxy) as client:
        proxy.block()
        await client.say(b"hello")
        assert await client.hears_nothing()
        proxy.heal()
        assert await client.hear(5) == b"hello"


async def test_in_one_direction_requests_arrive_and_answers_do_not(proxy: Proxy, received: list[bytes]):
    async with connected(proxy) as client:
        proxy.answers.block()
        await client.say(b"hello")
        await until(lambda: received == [b"hello"])
        assert await client.hears_nothing()


async def test_a_reset_ends_connections_with_an_error(proxy: Proxy):
    async with connected(proxy) as client:
        await client.say(b"hello")
        await client.hear(5)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await client.hear(1)


async def test_while_it_refuses_new_connections_are_reset(proxy: Proxy):
    proxy.refuse()
    async with connected(proxy) as client:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.hear(1)


async def test_half_open_connections_are_never_answered_again_and_new_ones_are(proxy: Proxy):
    async with connected(proxy) as old:
        await old.say(b"a")
        assert await old.hear(1) == b"a"
        proxy.half_open()
        proxy.heal()
        await old.say(b"b")
        assert await old.hears_nothing()
        async with connected(proxy) as new:
            await new.say(b"c")
            assert await new.hear(1) == b"c"


async def test_a_client_that_leaves_leaves_nothing_behind(proxy: Proxy):
    async with connected(proxy) as client:
        await client.say(b"hello")
        await client.hear(5)
        assert proxy.connections == 1
    await until(lambda: proxy.connections == 0)
