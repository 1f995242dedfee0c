"""Clients that read slowly, not at all, or vanish."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest

from app.transport.sockets.websocket_protocol import SocketProtocol
from tests.support.graphql.sample_server import SampleServer, serve_sockets
from tests.support.graphql.socket_client import SocketClient, connected
from tests.support.wait_until import until

TEXTS = "subscription { ticks { kind version text } }"
LARGE = "x" * 20_000


@pytest.fixture
async def server() -> AsyncIterator[SampleServer]:
    async with serve_sockets() as server:
        yield server


def _small_window(server: SampleServer) -> socket.socket:
    """A connection on which the client's kernel takes little, so that not reading shows soon."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", server.port))
    return sock


async def _watching(stack: AsyncExitStack, server: SampleServer, query: str = TEXTS) -> SocketClient:
    options = {"sock": _small_window(server), "ping_interval": None, "close_timeout": 0.1}
    client = await stack.enter_async_context(connected(server.url, **options))
    await client.subscribe(query)
    await client.hear_next()
    return client


async def test_a_slow_reader_gets_the_newest_state_and_never_an_older_one(server: SampleServer) -> None:
    async with AsyncExitStack() as stack:
        slow = await _watching(stack, server)
        slow.connection.transport.pause_reading()
        for _ in range(60):
            await server.counter.increment(text=LARGE)
            await until(lambda: server.counter.last_sent == server.counter.value)
        slow.connection.transport.resume_reading()
        versions = [1]
        while versions[-1] != 61:
            versions.append((await slow.hear_next())["data"]["ticks"]["version"])
        assert versions == sorted(set(versions))
        assert len(versions) < 30
        assert server.multiplexer.counters.superseded > 30


async def test_a_snapshot_is_never_left_out_for_a_slow_reader(server: SampleServer) -> None:
    async with AsyncExitStack() as stack:
        slow = await _watching(stack, server)
        slow.connection.transport.pause_reading()
        for _ in range(30):
            await server.counter.increment(text=LARGE)
            await until(lambda: server.counter.last_sent == server.counter.value)
        await slow.subscribe("subscription { ticks { kind version } }", id="late")
        await until(lambda: server.multiplexer.counters.members == 2)
        for _ in range(5):
            await server.counter.increment(text=LARGE)
            await until(lambda: server.counter.last_sent == server.counter.value)
        slow.connection.transport.resume_reading()
        late = []
        while not late or late[-1][1] != server.counter.value:
            message = await slow.hear()
            if message["id"] == "late":
                tick = message["payload"]["data"]["ticks"]
                late.append((tick["kind"], tick["version"]))
        assert late[0][0] == "SNAPSHOT"
        assert [kind for kind, _ in late[1:]] == ["UPDATE"] * (len(late) - 1)


async def test_a_slow_reader_of_an_operation_of_its_own_skips_as_well(server: SampleServer) -> None:
    async with AsyncExitStack() as stack:
        slow = await _watching(stack, server, "subscription { secrets { owner version text } }")
        slow.connection.transport.pause_reading()
        for _ in range(200):
            await server.counter.increment(text=LARGE)
            with suppress(TimeoutError):
                await until(lambda: server.counter.last_sent == server.counter.value, timeout=0.05)
            if server.counter.last_sent < server.counter.value - 10:
                break
        held_back = server.counter.last_sent
        slow.connection.transport.resume_reading()
        versions = [1]
        while versions[-1] != server.counter.value:
            versions.append((await slow.hear_next())["data"]["secrets"]["version"])
        assert versions == [*range(1, held_back + 1), server.counter.value]


async def test_a_slow_reader_is_told_of_the_end_after_the_last_state(server: SampleServer) -> None:
    async with AsyncExitStack() as stack:
        slow = await _watching(stack, server)
        slow.connection.transport.pause_reading()
        for _ in range(30):
            await server.counter.increment(text=LARGE)
            await until(lambda: server.counter.last_sent == server.counter.value)
        await server.counter.finish()
        await until(lambda: server.connections.operations == 0)
        slow.connection.transport.resume_reading()
        messages = []
        while not messages or messages[-1]["type"] == "next":
            messages.append(await slow.hear())
        assert messages[-1] == {"id": "1", "type": "complete"}
        assert messages[-2]["payload"]["data"]["ticks"]["version"] == 31


async def test_a_client_on_a_thin_line_is_slow_and_not_cut_off() -> None:
    class Impatient(SocketProtocol):
        stall_timeout = 2.0

    async with serve_sockets(protocol=Impatient) as server, AsyncExitStack() as stack:
        slow = await _watching(stack, server)
        slow.connection.transport.pause_reading()
        await server.counter.increment(text="x" * 300_000)
        await until(lambda: server.counter.last_sent == 2)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        sock = slow.connection.transport.get_extra_info("socket").dup()
        received = 0
        while received < 300_000:
            received += len(sock.recv(8192))
            await asyncio.sleep(0.1)  # about 80 KB a second
        sock.close()
        assert loop.time() > begin + Impatient.stall_timeout
        assert len(server.connections) == 1


async def test_nobody_waits_for_clients_that_have_stopped_reading() -> None:
    class Patient(SocketProtocol):
        stall_timeout = 3600.0

    async with serve_sockets(protocol=Patient) as server, AsyncExitStack() as stack:
        good, bad = await _half_of_them_stopped(stack, server)
        for _ in range(20):
            await server.counter.increment(text=LARGE)
            for client in good:
                assert (await client.hear_next())["data"]["ticks"]["version"] == server.counter.value
        assert server.multiplexer.counters.members == len(good) + len(bad)


async def test_clients_that_stop_reading_are_disconnected_and_the_others_stay(server: SampleServer) -> None:
    async with AsyncExitStack() as stack:
        good, bad = await _half_of_them_stopped(stack, server)
        while server.multiplexer.counters.members > len(good):
            await server.counter.increment(text=LARGE)
            for client in good:
                assert (await client.hear_next())["data"]["ticks"]["version"] == server.counter.value
        assert server.connections.closed[1013] == len(bad)
        await until(lambda: len(server.server.server_state.connections) == len(good))


async def _half_of_them_stopped(
    stack: AsyncExitStack, server: SampleServer
) -> tuple[list[SocketClient], list[SocketClient]]:
    """A hundred clients that read, and as many that do not."""
    good = [await stack.enter_async_context(connected(server.url)) for _ in range(100)]
    for client in good:
        await client.subscribe(TEXTS)
        await client.hear_next()
    bad = [await _watching(stack, server) for _ in range(100)]
    for client in bad:
        client.connection.transport.pause_reading()
        # Before its connection is closed: a client that does not read does not see the end either.
        stack.callback(client.connection.transport.abort)
    return good, bad


async def test_a_thousand_abrupt_disconnects_leave_nothing_behind(server: SampleServer) -> None:
    def footprint() -> tuple[int, int, int, int, int, int, int]:
        gc.collect()
        return (
            len(asyncio.all_tasks()),
            len(os.listdir("/proc/self/fd")),
            len(server.connections),
            len(server.connections.timer_wheel),
            server.connections.operations,
            server.multiplexer.counters.members,
            server.counter.watchers,
        )

    before = footprint()
    for _ in range(5):
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(server.url, f"{n}")) for n in range(200)]
            for number, client in enumerate(clients):
                await client.subscribe(id="a")
                await client.subscribe("subscription { secrets { version } }" if number % 2 else TEXTS, id="b")
                await client.hear()
            await server.counter.increment()
            for client in clients:
                client.connection.transport.abort()
    await until(lambda: footprint() == before)
    assert server.connections.closed[None] == 1000
    assert server.registry.users == {}
