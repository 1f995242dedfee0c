"""Clients that hold on to an HTTP connection without using it."""

import asyncio
import contextlib
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import httpx2
import pytest

from app.transport.server.http_protocol import BoundedHttpProtocol
from tests.support.graphql.sample_server import SampleApp, serve_http
from tests.support.wait_until import TIMEOUT, until


@pytest.fixture
async def sample() -> SampleApp:
    return SampleApp()


class Impatient(BoundedHttpProtocol):
    stall_timeout: ClassVar[float] = 0.2
    head_timeout: ClassVar[float] = 0.2


@asynccontextmanager
async def raw_connection(url: str) -> AsyncIterator[sockets.socket]:
    host, port = url.removeprefix("http://").split(":")
    with sockets.socket() as connection:
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
        yield connection


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /graphql HTTP/1.1\r\nhost: x\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost:",  # not the first of its connection
    ],
)
async def test_a_head_that_is_not_finished_is_not_waited_for(sample: SampleApp, head: bytes):
    loop = asyncio.get_running_loop()
    async with serve_http(sample, Impatient) as url, raw_connection(url) as connection, asyncio.timeout(TIMEOUT):
        await loop.sock_sendall(connection, head)
        with contextlib.suppress(ConnectionResetError):
            while await loop.sock_recv(connection, 1000):
                pass


async def test_a_body_that_is_not_finished_is_answered_with_408():
    sample = SampleApp(settings={"body_timeout": 0.1})
    loop = asyncio.get_running_loop()
    received = b""
    async with serve_http(sample, Impatient) as url, raw_connection(url) as connection, asyncio.timeout(TIMEOUT):
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
        await loop.sock_sendall(connection, head + b'{"query":')
        while chunk := await loop.sock_recv(connection, 10_000):
            received += chunk
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in received
    assert b'"code":"BAD_REQUEST"' in received


async def test_a_slow_answer_to_a_fast_client_is_not_cut_off(sample: SampleApp):
    async with serve_http(sample, Impatient) as url, httpx2.AsyncClient() as client:
        asking = asyncio.create_task(client.post(url, json={"query": "{slow}"}))
        await until(lambda: len(sample.admitted) == 1)
        asyncio.get_running_loop().call_later(3 * Impatient.stall_timeout, sample.counter.released.set)
        assert (await asking).json() == {"data": {"slow": "done"}}


async def test_a_client_that_stops_reading_is_cut_off():
    sample = SampleApp(streaming={"stall_timeout": 60.0})
    body = json.dumps({"query": "subscription{flood}"}).encode()
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n"
    loop = asyncio.get_running_loop()
    async with serve_http(sample, Impatient) as url, raw_connection(url) as connection:
        await loop.sock_sendall(connection, head + b"content-length: %d\r\n\r\n" % len(body) + body)
        await until(lambda: sample.streams.open == 1)
        await until(lambda: sample.streams.open == 0)
