"""What one socket, one user and one process may take up."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from websockets.frames import Frame

from app.transport.sockets.connections import SocketLimits
from app.transport.sockets.websocket_protocol import SocketProtocol
from tests.support.graphql.sample_server import serve_sockets
from tests.support.graphql.socket_client import TICKS, connected, connecting
from tests.support.wait_until import TIMEOUT, until


async def test_sockets_beyond_the_limit_are_asked_to_try_again_later() -> None:
    async with serve_sockets(limits=SocketLimits(max_sockets=2)) as server:
        async with connected(server.url), connected(server.url) as last:
            async with connecting(server.url) as refused:
                assert (await refused.close_code())[0] == 1013
            assert await last.is_alive()
        await until(lambda: len(server.connections) == 0)
        async with connected(server.url):
            assert (server.connections.opened, server.connections.refused) == (3, 1)


async def test_one_address_may_have_only_so_many_sockets_and_others_are_not_affected() -> None:
    async with serve_sockets(limits=SocketLimits(max_sockets_per_address=2)) as server, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(connected(server.url))
        async with connecting(server.url) as refused:
            assert await refused.close_code() == (1013, "Too many sockets from your address")
        assert server.connections.refused == 1
        async with connected(server.url, additional_headers={"x-address": "192.0.2.2"}) as other:
            assert await other.is_alive()


async def test_a_site_with_many_networks_may_have_four_times_as_many_sockets() -> None:
    async with serve_sockets(limits=SocketLimits(max_sockets_per_address=1)) as server, AsyncExitStack() as stack:
        for number in range(4):
            headers = {"x-address": f"2001:db8:1:{number}::/64"}
            await stack.enter_async_context(connected(server.url, additional_headers=headers))
        async with connecting(server.url, additional_headers={"x-address": "2001:db8:1:9::/64"}) as refused:
            assert (await refused.close_code())[0] == 1013
        async with connected(server.url, additional_headers={"x-address": "2001:db8:2:1::/64"}) as other:
            assert await other.is_alive()


@pytest.mark.parametrize("ending", ["closed", "aborted", "no init", "bad token", "bad message", "init and abort"])
async def test_however_sockets_end_their_address_can_open_as_many_again(ending: str) -> None:
    limits = SocketLimits(max_sockets_per_address=5, init_timeout=0.3 if ending == "no init" else 5.0)
    async with serve_sockets(limits=limits) as server:
        for _ in range(3):
            async with AsyncExitStack() as stack:
                for _ in range(5):
                    client = await stack.enter_async_context(connecting(server.url))
                    match ending:
                        case "closed":
                            await client.init()
                        case "aborted":
                            client.connection.transport.abort()
                        case "no init":
                            assert (await client.close_code())[0] == 4408
                        case "bad token":
                            await client.say({"type": "connection_init", "payload": {"authorization": "expired"}})
                            assert (await client.close_code())[0] == 4403
                        case "bad message":
                            await client.say([])
                            assert (await client.close_code())[0] == 4400
                        case "init and abort":
                            await client.say({"type": "connection_init", "payload": {"authorization": "slow"}})
                            client.connection.transport.abort()
            await until(lambda: len(server.connections) == 0)
            assert server.connections.addresses == 0
        async with connected(server.url) as client:
            assert await client.is_alive()


async def test_the_oldest_socket_of_a_user_makes_room_for_the_newest() -> None:
    async with serve_sockets() as server, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connected(server.url, "ada")) for _ in range(3)]
        other = await stack.enter_async_context(connected(server.url, "grace"))
        await stack.enter_async_context(connected(server.url, "ada"))
        assert (await sockets[0].close_code())[0] == 4429
        assert await sockets[1].is_alive()
        assert await other.is_alive()


async def test_anonymous_sockets_are_nobodys() -> None:
    async with serve_sockets() as server, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connected(server.url)) for _ in range(5)]
        assert all([await socket.is_alive() for socket in sockets])
        assert server.registry.users == {}


async def test_a_closed_socket_is_taken_off_the_registry() -> None:
    async with serve_sockets() as server:
        async with connected(server.url, "ada"):
            assert len(server.registry.users) == 1
        await until(lambda: not server.registry.users)


async def test_operations_beyond_the_limit_are_errors_and_the_others_go_on() -> None:
    async with serve_sockets(limits=SocketLimits(max_operations=3)) as server, connected(server.url) as client:
        for id in "abc":
            await client.subscribe(id=id)
            await client.hear_tick(id)
        await client.subscribe(id="d")
        error = await client.hear_error("d")
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert "3" in error["message"]
        await client.complete("a")
        await client.subscribe(id="d")
        await client.hear_tick("d")


async def test_too_many_messages_close_with_4429() -> None:
    limits = SocketLimits(messages_per_second=10, message_burst=20)
    async with serve_sockets(limits=limits) as server, connected(server.url) as client:
        for _ in range(100):
            await client.say({"type": "pong"})
        assert await client.close_code() == (4429, "Too many messages")


async def test_pings_of_the_protocol_below_count_as_messages() -> None:
    limits = SocketLimits(messages_per_second=10, message_burst=20)
    async with serve_sockets(limits=limits) as server, connected(server.url) as client:
        for _ in range(100):
            client.connection.protocol.send_ping(b"")
            client.connection.transport.writelines(client.connection.protocol.data_to_send())
        assert (await client.close_code())[0] == 4429


async def test_a_full_socket_may_subscribe_to_everything_at_once() -> None:
    async with serve_sockets() as server, connected(server.url) as client:
        for number in range(20):
            await client.subscribe(id=f"{number}")
        assert [(await client.hear())["type"] for _ in range(20)] == ["next"] * 20


async def test_a_socket_without_operations_is_closed_after_a_while() -> None:
    async with serve_sockets(limits=SocketLimits(idle_timeout=0.5)) as server, connected(server.url) as client:
        assert (await client.close_code())[0] == 1000


async def test_the_idle_time_begins_with_the_end_of_the_last_operation() -> None:
    limits = SocketLimits(idle_timeout=2.0)
    async with serve_sockets(limits=limits) as server, connected(server.url) as client:
        await client.subscribe()
        await client.hear_tick()
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while loop.time() < begin + limits.idle_timeout + 0.5:
            await server.counter.increment()
            await client.hear_tick()
        ended = loop.time()
        await client.complete()
        assert (await client.close_code())[0] == 1000
        assert loop.time() >= ended + limits.idle_timeout


@pytest.mark.parametrize("query", [None, TICKS], ids=["idle", "subscribed"])
async def test_a_socket_is_closed_with_4403_when_its_token_expires_and_not_before(query: str | None) -> None:
    async with serve_sockets() as server:
        server.contexts.lifetime = 4.0
        async with connected(server.url, "ada") as client:
            expires_at = server.contexts.expires_at("ada")
            if query:
                await client.subscribe(query)
            assert (await client.close_code())[0] == 4403
            assert server.connections.clock() >= expires_at


@pytest.mark.parametrize("query", [None, TICKS], ids=["idle", "subscribed"])
async def test_a_withdrawn_key_closes_its_sockets_at_once_and_no_other(query: str | None) -> None:
    async with serve_sockets() as server, connected(server.url, "ada") as ada, connected(server.url, "bob") as bob:
        if query:
            for client in (ada, bob):
                await client.subscribe(query)
                await client.hear_tick()
        server.contexts.keys["ada"].withdraw()
        assert await ada.close_code() == (4403, "The key of the access token was withdrawn")
        assert await bob.is_alive()
        assert server.connections.closed[4403] == 1


async def test_a_key_that_is_withdrawn_during_the_initialisation_closes_the_socket() -> None:
    async with serve_sockets() as server, connecting(server.url) as client:
        await client.say({"type": "connection_init", "payload": {"authorization": "withdrawn"}})
        assert (await client.close_code())[0] == 4403


async def test_a_key_remembers_no_socket_that_has_closed() -> None:
    async with serve_sockets() as server:
        async with connected(server.url, "ada") as client:
            await client.is_alive()
        await until(lambda: len(server.connections) == 0)
        assert not server.contexts.keys["ada"]._listeners


async def test_quiet_sockets_are_pinged_and_stay() -> None:
    class Counting(SocketProtocol):
        pongs = 0

        def handle_pong(self, event: Frame) -> None:
            super().handle_pong(event)
            Counting.pongs += 1

    limits = SocketLimits(ping_interval=0.3)
    async with (
        serve_sockets(limits=limits, ping_timeout=TIMEOUT, protocol=Counting) as server,
        connected(server.url, ping_interval=None) as client,
    ):
        await client.subscribe()
        await client.hear_tick()
        await until(lambda: Counting.pongs >= 5)
        assert await client.is_alive()


async def test_a_client_that_does_not_answer_pings_is_cut_off() -> None:
    class Impatient(SocketProtocol):
        abort_delay = 0.1

    limits = SocketLimits(ping_interval=0.3)
    async with (
        serve_sockets(limits=limits, ping_timeout=1.0, protocol=Impatient) as server,
        connected(server.url, ping_interval=None, close_timeout=0.1) as client,
    ):
        await client.subscribe()
        await client.hear_tick()
        client.connection.transport.pause_reading()
        await until(lambda: len(server.connections) == 0)
        assert server.connections.closed[1013] == 1
        await until(lambda: not server.server.server_state.connections)
