"""A server that stops answers what is already on its way to it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from app.config import Settings
from app.server import Server, config
from tests.support.service import settings_for
from tests.support.wait_until import TIMEOUT, until

QUERY = {"query": "{ categories { id } }"}


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(database_url, redis_url)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[Server, socket.socket, httpx2.AsyncClient]]:
    """A server that the test stops by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = config(settings)
        made.load()
        server = Server(made)
        server.lifespan = made.lifespan_class(made)
        await server.startup([listener])
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT) as http:
            yield server, listener, http


@pytest.mark.parametrize("requests_before", [1, 3], ids=["parsed head", "cached head"])
async def test_a_request_on_an_idle_connection_is_answered_and_the_answer_says_that_it_is_the_last(
    settings: Settings, requests_before: int
):
    async with running(settings) as (server, listener, http):
        for _ in range(requests_before):
            assert (await http.post("/graphql", json=QUERY)).status_code == 200
        stopping = asyncio.create_task(server.shutdown([listener]))
        await until(lambda: not any(one.is_serving() for one in server.servers))
        answer = await http.post("/graphql", json=QUERY)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        await stopping


async def test_a_new_connection_is_refused_so_that_a_proxy_takes_another_instance(settings: Settings):
    async with running(settings) as (server, listener, http):
        assert (await http.get("/livez")).status_code == 200
        stopping = asyncio.create_task(server.shutdown([listener]))
        await until(lambda: not any(one.is_serving() for one in server.servers))
        async with httpx2.AsyncClient(base_url=http.base_url, timeout=TIMEOUT) as other:
            with pytest.raises(httpx2.ConnectError):
                await other.get("/livez")
        await stopping


async def test_a_server_without_connections_stops_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.server.DRAIN_SECONDS", 10 * TIMEOUT)
    async with running(settings) as (server, listener, http):
        await http.get("/livez")
        await http.aclose()
        async with asyncio.timeout(TIMEOUT):
            await server.shutdown([listener])
