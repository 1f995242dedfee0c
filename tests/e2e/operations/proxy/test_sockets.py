"""docker/nginx: sockets and streams stay open while nothing is sent, and find an instance after each restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from app.embedded.process import free_port
from tests.support.graphql.sample_server import serve_http
from tests.support.processes.delivered_nginx import delivered_nginx, needs_nginx
from tests.support.wait_until import TIMEOUT

pytestmark = needs_nginx

SHORT = {"proxy_read_timeout 8s;": "proxy_read_timeout 1s;"}
WATCHERS = 20


class SilentInstance:
    """Answers a stream in two parts, and nothing else; `proceed` is set when the second part may be sent."""

    def __init__(self) -> None:
        self.proceed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["path"] != "/stream":
            await self.proceed.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await self.proceed.wait()
        await send({"type": "http.response.body", "body": b"second"})


@pytest.mark.parametrize("accepted", ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0, application/json"])
async def test_a_silent_stream_outlives_the_time_out_of_plain_requests(tmp_path: Path, accepted: str):
    app = SilentInstance()
    async with (
        serve_http(app) as url,
        delivered_nginx(tmp_path, [_port(url)], changes=SHORT) as nginx,
        httpx2.AsyncClient(timeout=TIMEOUT) as http,
        http.stream("POST", f"{nginx.http}/stream", headers={"accept": accepted}) as stream,
    ):
        parts = stream.aiter_text()
        assert await anext(parts) == "first"
        assert (await http.post(f"{nginx.http}/graphql")).status_code == 504
        app.proceed.set()
        assert await anext(parts) == "second"


async def test_a_silent_socket_outlives_the_time_out_of_plain_requests(tmp_path: Path):
    app = SilentInstance()
    async with (
        sockets_on(port := free_port()),
        serve_http(app) as silent,
        delivered_nginx(tmp_path, [port], changes=SHORT) as nginx,
        delivered_nginx(_subfolder(tmp_path), [_port(silent)], changes=SHORT) as other,
        socket_through(nginx.http) as watcher,
        httpx2.AsyncClient(timeout=TIMEOUT) as http,
    ):
        assert (await http.post(f"{other.http}/graphql")).status_code == 504  # So that much time has passed.
        app.proceed.set()
        await watcher.send("still there?")
        assert await asyncio.wait_for(watcher.recv(), TIMEOUT) == "still there?"


async def test_displaced_watchers_find_an_instance_after_every_restart(tmp_path: Path):
    """A failed instance must not be excluded: it would be taken back only when a socket that tried it ends."""
    ports = [free_port(), free_port()]
    async with delivered_nginx(tmp_path, ports) as nginx, AsyncExitStack() as first:
        running = [await first.enter_async_context(_stoppable(port)) for port in ports]
        for number in (1, 0, 1, 0):
            async with AsyncExitStack() as watchers:
                await asyncio.gather(
                    *(watchers.enter_async_context(socket_through(nginx.http)) for _ in range(WATCHERS))
                )
                await running[number].aclose()
                displaced = [socket_through(nginx.http) for _ in range(WATCHERS)]
                await asyncio.gather(*(watchers.enter_async_context(each) for each in displaced))
                running[number] = await first.enter_async_context(_stoppable(ports[number]))
                await asyncio.gather(
                    *(watchers.enter_async_context(socket_through(nginx.http)) for _ in range(WATCHERS))
                )


async def _echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def sockets_on(port: int) -> AsyncIterator[None]:
    """Answer sockets on a port, and end them with the block."""
    async with serve(_echo, "127.0.0.1", port):
        yield


@asynccontextmanager
async def _stoppable(port: int) -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sockets_on(port))
        yield stack


@asynccontextmanager
async def socket_through(url: str) -> AsyncIterator[ClientConnection]:
    """Open a socket; a status other than 101 is an error."""
    async with connect(url.replace("http", "ws", 1), open_timeout=TIMEOUT) as connection:
        yield connection


async def _open_sockets(url: str, stack: AsyncExitStack) -> None:
    await asyncio.gather(*(stack.enter_async_context(socket_through(url)) for _ in range(WATCHERS)))


def _subfolder(folder: Path) -> Path:
    (folder / "other").mkdir()
    return folder / "other"


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
