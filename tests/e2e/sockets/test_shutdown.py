"""What sockets are told when the server goes away."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.support.graphql.sample_server import serve_sockets
from tests.support.graphql.socket_client import connected, connecting
from tests.support.wait_until import TIMEOUT, until


async def test_the_end_of_the_server_closes_every_socket_with_1012() -> None:
    async with serve_sockets() as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(server.url)) for _ in range(20)]
        for client in clients[:10]:
            await client.subscribe()
            await client.hear_tick()
        fresh = await stack.enter_async_context(connecting(server.url))
        server.server.should_exit = True
        for client in [*clients, fresh]:
            assert (await client.close_code())[0] == 1012
        assert (len(server.connections), server.multiplexer.groups, server.connections.operations) == (0, 0, 0)
        assert server.connections.closed[1012] == 21


async def test_a_client_that_does_not_read_cannot_hold_up_the_end() -> None:
    async with serve_sockets() as server, connected(server.url, ping_interval=None, close_timeout=0.1) as client:
        await client.subscribe("subscription { ticks { text } }")
        await client.hear_next()
        client.connection.transport.pause_reading()
        for _ in range(60):
            await server.counter.increment(text="x" * 20_000)
            await until(lambda: server.counter.last_sent == server.counter.value)
        server.server.should_exit = True
        await until(lambda: not server.server.server_state.connections)


async def test_stopping_closes_what_is_open_and_refuses_what_comes() -> None:
    async with serve_sockets() as server, connected(server.url) as client:
        await client.subscribe()
        await client.hear_tick()
        stopping = asyncio.create_task(server.connections.stop())
        assert (await client.close_code())[0] == 1012
        async with connecting(server.url) as late:
            assert (await late.close_code())[0] == 1012
        await asyncio.wait_for(stopping, TIMEOUT)


async def test_stopping_waits_for_a_mutation_that_has_begun() -> None:
    async with serve_sockets() as server, connected(server.url) as client:
        await client.subscribe("mutation { slowly }")
        await asyncio.wait_for(server.counter.entered.wait(), TIMEOUT)
        stopping = asyncio.create_task(server.connections.stop())
        assert (await client.close_code())[0] == 1012
        assert not stopping.done()
        server.counter.released.set()
        await asyncio.wait_for(stopping, TIMEOUT)
        assert server.counter.value == 2
