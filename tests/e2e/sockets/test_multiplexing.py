"""One execution for all who watch the same, and none shared that shows a viewer something of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.support.graphql.sample_server import SampleServer, serve_sockets
from tests.support.graphql.socket_client import SocketClient, connected
from tests.support.wait_until import TIMEOUT, until

SECRETS = "subscription { secrets { owner version } }"


@pytest.fixture
async def server() -> AsyncIterator[SampleServer]:
    async with serve_sockets() as server:
        yield server


@pytest.fixture
async def clients(server: SampleServer) -> AsyncIterator[list[SocketClient]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(server.url)) for _ in range(5)]


async def test_equal_subscriptions_are_executed_once(server: SampleServer, clients: list[SocketClient]) -> None:
    for number, client in enumerate(clients):
        await client.subscribe(id=f"{number}")
        assert await client.hear_tick(f"{number}") == ("SNAPSHOT", 1)
    for version in (2, 3, 4):
        await server.counter.increment()
        for number, client in enumerate(clients):
            assert await client.hear_tick(f"{number}") == ("UPDATE", version)
    assert (server.multiplexer.groups, server.multiplexer.counters.members, server.multiplexer.counters.executions) == (
        1,
        5,
        1,
    )
    assert server.counter.subscriptions == 1


async def test_variables_that_differ_in_order_defaults_or_leftovers_share(
    server: SampleServer, clients: list[SocketClient]
) -> None:
    query = """subscription S($limit: Int = 10, $board: String! = "global") {
        ticks(limit: $limit, board: $board) { kind version board } }"""
    for client, variables in zip(
        clients,
        [None, {}, {"limit": 10, "board": "global"}, {"board": "global", "limit": 10}, {"limit": 10, "unknown": 1}],
        strict=True,
    ):
        await client.subscribe(query, variables=variables)
        await client.hear_tick()
    assert (server.multiplexer.groups, server.multiplexer.counters.executions) == (1, 1)


async def test_different_variables_and_documents_do_not_share(
    server: SampleServer, clients: list[SocketClient]
) -> None:
    query = "subscription S($board: String!) { ticks(board: $board) { kind version board } }"
    await clients[0].subscribe(query, variables={"board": "a"})
    await clients[1].subscribe(query, variables={"board": "b"})
    await clients[2].subscribe()
    boards = [(await client.hear_next())["data"]["ticks"].get("board") for client in clients[:3]]
    assert boards == ["a", "b", None]
    assert server.multiplexer.groups == 3


async def test_nobody_sees_what_belongs_to_another_viewer(server: SampleServer) -> None:
    async with AsyncExitStack() as stack:
        names = ["ada", "grace", "edsger"]
        viewers = {name: await stack.enter_async_context(connected(server.url, name)) for name in names}
        for viewer in viewers.values():
            await viewer.subscribe(SECRETS)
        for version in (1, 2, 3):
            for name, viewer in viewers.items():
                secret = (await viewer.hear_next())["data"]["secrets"]
                assert secret == {"owner": name, "version": version}
            await server.counter.increment()
        assert server.multiplexer.groups == 0


async def test_one_hidden_field_is_enough_to_keep_an_execution_private(server: SampleServer) -> None:
    aliased = "subscription { mine: secrets { ...S } } fragment S on Secret { owner version }"
    async with connected(server.url, "ada") as ada, connected(server.url, "grace") as grace:
        await ada.subscribe(aliased)
        await grace.subscribe(aliased)
        assert (await ada.hear_next())["data"]["mine"]["owner"] == "ada"
        assert (await grace.hear_next())["data"]["mine"]["owner"] == "grace"


async def test_a_late_joiner_gets_a_snapshot_first(server: SampleServer, clients: list[SocketClient]) -> None:
    early, late, *_ = clients
    await early.subscribe()
    await early.hear_tick()
    await server.counter.increment()
    assert await early.hear_tick() == ("UPDATE", 2)
    await late.subscribe()
    assert await late.hear_tick() == ("SNAPSHOT", 2)
    await server.counter.increment()
    assert await late.hear_tick() == await early.hear_tick() == ("UPDATE", 3)
    assert server.multiplexer.groups == 1
    assert server.counter.watchers == 1


async def test_a_herd_of_a_thousand_is_served_by_two_reads_a_second(server: SampleServer) -> None:
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(connected(server.url)) for _ in range(53)]
        await crowd[0].subscribe(id="first")
        await crowd[0].hear_tick("first")
        await server.counter.increment()
        await crowd[0].hear_tick("first")
        reads, begin = server.counter.subscriptions, asyncio.get_running_loop().time()
        for number in range(19):
            for client in crowd:
                await client.subscribe(id=f"{number}")
        for client in crowd:
            kinds = [(await client.hear())["payload"]["data"]["ticks"]["kind"] for _ in range(19)]
            assert kinds == ["SNAPSHOT"] * 19
        seconds = asyncio.get_running_loop().time() - begin
        assert server.multiplexer.counters.members == 1 + 53 * 19
        assert server.counter.subscriptions - reads <= 1 + 2 * seconds


async def test_two_operations_of_one_socket_join_the_same_execution(
    server: SampleServer, clients: list[SocketClient]
) -> None:
    await clients[0].subscribe(id="a")
    await clients[0].subscribe(id="b")
    assert {(await clients[0].hear())["id"] for _ in range(2)} == {"a", "b"}
    assert (server.multiplexer.groups, server.multiplexer.counters.members) == (1, 2)


async def test_an_error_in_a_shared_execution_reaches_every_member(
    server: SampleServer, clients: list[SocketClient]
) -> None:
    for client in clients:
        await client.subscribe()
        await client.hear_tick()
    await server.counter.finish(ValueError("an internal detail"))
    for client in clients:
        assert (await client.hear_error())["path"] == ["ticks"]
        assert await client.is_alive()
    assert (server.multiplexer.groups, server.multiplexer.counters.members, server.connections.operations) == (0, 0, 0)


async def test_a_source_that_fails_at_once_is_an_error_for_everyone_who_asked(clients: list[SocketClient]) -> None:
    for client in clients:
        await client.subscribe("subscription { failing }")
    for client in clients:
        assert (await client.hear_error())["path"] == ["failing"]


async def test_the_end_of_the_source_completes_every_member(server: SampleServer, clients: list[SocketClient]) -> None:
    for client in clients:
        await client.subscribe()
        await client.hear_tick()
    await server.counter.finish()
    for client in clients:
        assert await client.hear() == {"id": "1", "type": "complete"}
    assert (server.multiplexer.groups, server.multiplexer.counters.members, server.connections.operations) == (0, 0, 0)


@pytest.mark.parametrize("query", ["subscription { ticks { version } }", SECRETS], ids=["shared", "own"])
async def test_the_last_to_leave_closes_the_source(
    server: SampleServer, clients: list[SocketClient], query: str
) -> None:
    for client in clients:
        await client.subscribe(query)
        await client.hear_next()
    for client in clients[:-1]:
        await client.complete()
        assert await client.is_alive()
    assert server.counter.watchers == 1
    await clients[-1].complete()
    await asyncio.wait_for(server.counter.wait_for_watchers(0), TIMEOUT)
    assert (server.multiplexer.groups, server.multiplexer.counters.members, server.connections.operations) == (0, 0, 0)


async def test_who_left_hears_nothing_more(server: SampleServer, clients: list[SocketClient]) -> None:
    gone, stays, *_ = clients
    for client in (gone, stays):
        await client.subscribe()
        await client.hear_tick()
    await gone.complete()
    assert await gone.is_alive()
    await server.counter.increment()
    assert await stays.hear_tick() == ("UPDATE", 2)
    await gone.say({"type": "ping"})
    assert await gone.hear() == {"type": "pong"}


async def test_a_group_starts_anew_after_its_last_member_left(
    server: SampleServer, clients: list[SocketClient]
) -> None:
    for client in clients[:2]:
        await client.subscribe()
        assert (await client.hear_tick())[0] == "SNAPSHOT"
        await client.complete()
        await until(lambda: server.multiplexer.groups == 0)
        await server.counter.increment()


async def test_a_mutation_is_finished_when_its_client_leaves(server: SampleServer) -> None:
    async with connected(server.url) as client:
        await client.subscribe("mutation { slowly }")
        await asyncio.wait_for(server.counter.entered.wait(), TIMEOUT)
    await until(lambda: len(server.connections) == 0)
    server.counter.released.set()
    await until(lambda: server.counter.value == 2)


async def test_a_query_is_given_up_when_its_client_leaves(server: SampleServer) -> None:
    async with connected(server.url) as client:
        await client.subscribe("{ slow }")
        await asyncio.wait_for(server.counter.entered.wait(), TIMEOUT)
        await client.complete()
        await asyncio.wait_for(server.counter.cancelled.wait(), TIMEOUT)


async def test_every_operation_has_a_context_of_its_own(server: SampleServer) -> None:
    async with connected(server.url, "ada") as client:
        for id in ("1", "2"):
            await client.subscribe("{ mark }", id=id)
            assert (await client.hear_next(id)) == {"data": {"mark": 1}}
            await client.hear()


@pytest.mark.parametrize("end", [None, ValueError("an internal detail")], ids=["end", "failure"])
async def test_an_operation_of_its_own_is_told_of_the_end_of_its_source(
    server: SampleServer, end: Exception | None
) -> None:
    async with connected(server.url, "ada") as client:
        await client.subscribe(SECRETS)
        await client.hear_next()
        await server.counter.finish(end)
        if end is None:
            assert await client.hear() == {"id": "1", "type": "complete"}
        else:
            assert (await client.hear_error())["path"] == ["secrets"]
        assert server.connections.operations == 0


async def test_operations_of_its_own_are_closed_with_their_socket(server: SampleServer) -> None:
    async with connected(server.url, "ada") as client:
        await client.subscribe(SECRETS)
        await client.hear_next()
    await asyncio.wait_for(server.counter.wait_for_watchers(0), TIMEOUT)
