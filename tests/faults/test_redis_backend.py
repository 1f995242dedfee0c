"""Channels while Redis dies, freezes and comes back."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from app.pubsub.channels.channel_connection import OUTAGES, Gap
from tests.support.boards.channels import ChannelListener, backend_of, running
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT, until


async def test_after_a_restart_every_channel_has_a_gap_and_then_delivers_again(redis_server: BreakableServer) -> None:
    async with (
        running(redis_server.url) as (broadcast, backend),
        ChannelListener(broadcast, "a") as a,
        ChannelListener(broadcast, "b") as b,
    ):
        await a.gap()
        await b.gap()
        redis_server.kill()
        await until(lambda: not backend.healthy.is_set())
        await redis_server.start()
        for ear, channel in ((a, "a"), (b, "b")):
            await ear.gap()
            await broadcast.publish(channel, "back")
            assert await ear.message() == "back"
        assert backend.healthy.is_set()
        assert backend.outages > 0


async def test_a_frozen_server_is_noticed_and_left_for_a_new_connection(redis_server: BreakableServer) -> None:
    async with running(redis_server.url) as (broadcast, backend), ChannelListener(broadcast, "c") as ear:
        await ear.gap()
        redis_server.freeze()
        await until(lambda: not backend.healthy.is_set())
        redis_server.thaw()
        await ear.gap()
        await broadcast.publish("c", "thawed")
        assert await ear.message() == "thawed"


async def test_publishing_to_a_frozen_server_fails_in_time(redis_server: BreakableServer) -> None:
    async with running(redis_server.url) as (broadcast, _):
        await broadcast.publish("c", "warm")
        redis_server.freeze()
        async with asyncio.timeout(TIMEOUT):
            with pytest.raises(OUTAGES):
                await broadcast.publish("c", "lost")


async def test_a_server_that_is_not_there_at_first_is_found_later(redis_server: BreakableServer) -> None:
    redis_server.kill()
    async with running(redis_server.url) as (broadcast, backend), ChannelListener(broadcast, "c") as ear:
        await until(lambda: backend.outages >= 3)
        await redis_server.start()
        await ear.gap()
        await broadcast.publish("c", "found")
        assert await ear.message() == "found"


async def test_a_cut_connection_is_a_gap_even_when_the_client_heals_it_unseen(redis_server: BreakableServer) -> None:
    async with (
        Redis.from_url(redis_server.url) as client,
        running(redis_server.url) as (broadcast, _),
        ChannelListener(broadcast, "c") as ear,
    ):
        await ear.gap()
        await client.client_kill_filter(_type="pubsub")
        await ear.gap()
        await broadcast.publish("c", "healed")
        assert await ear.message() == "healed"


async def test_more_than_can_wait_becomes_one_gap(redis_server: BreakableServer) -> None:
    backend = backend_of(redis_server.url, capacity=10)
    await backend.connect()
    pump = asyncio.create_task(backend.run())
    try:
        await backend.subscribe("c")
        async with asyncio.timeout(TIMEOUT):
            assert isinstance(await backend.next_published(), Gap)
            while backend.overflows == 0:  # nobody takes what arrives
                await backend.publish("c", "flood")
            await backend.publish("c", "after")
            events = [await backend.next_published()]
            while events[-1].message != "after":
                events.append(await backend.next_published())
        assert any(isinstance(event, Gap) for event in events)
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
        await backend.disconnect()


async def test_the_listener_of_broadcast_is_never_hurt_by_an_outage(redis_server: BreakableServer) -> None:
    async with running(redis_server.url) as (broadcast, backend), ChannelListener(broadcast, "c") as ear:
        await ear.gap()
        for _ in range(3):
            redis_server.kill()
            await until(lambda: not backend.healthy.is_set())
            await redis_server.start()
            await ear.gap()
        await broadcast.publish("c", "three lives")
        assert await ear.message() == "three lives"
