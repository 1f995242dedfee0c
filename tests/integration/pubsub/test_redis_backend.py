"""Channels over a real Redis."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from broadcaster import Broadcast
from redis.asyncio import Redis

from tests.support.boards.channels import ChannelListener, running
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT, until


@pytest.fixture
def prefix() -> str:
    """Channels know no databases: every test has names of its own."""
    return f"test:{uuid4()}:"


async def test_the_first_and_only_channel_delivers(redis_url: str, prefix: str) -> None:
    async with running(redis_url, prefix=prefix) as (broadcast, _), ChannelListener(broadcast, "only") as ear:
        await ear.gap()
        for number in range(20):
            await broadcast.publish("only", str(number))
        assert [await ear.message() for _ in range(20)] == [str(number) for number in range(20)]


async def test_a_subscription_begins_with_a_gap(redis_url: str, prefix: str) -> None:
    async with running(redis_url, prefix=prefix) as (broadcast, backend), ChannelListener(broadcast, "c") as ear:
        await ear.gap()
        assert len(ear.events) == 1
        assert backend.healthy.is_set()
        assert backend.gaps == 1


async def test_three_that_race_for_a_new_channel_all_hear(redis_url: str, prefix: str) -> None:
    async def hear(broadcast: Broadcast, ready: asyncio.Barrier) -> str:
        async with ChannelListener(broadcast, "race") as ear:
            await ear.gap()
            await ready.wait()
            return await ear.message()

    async with running(redis_url, prefix=prefix) as (broadcast, _), asyncio.timeout(TIMEOUT):
        ready = asyncio.Barrier(4)
        ears = [asyncio.create_task(hear(broadcast, ready)) for _ in range(3)]
        await ready.wait()
        await broadcast.publish("race", "hello")
        assert await asyncio.gather(*ears) == ["hello"] * 3


async def test_a_second_channel_joins_a_connection_that_listens_already(redis_url: str, prefix: str) -> None:
    async with running(redis_url, prefix=prefix) as (broadcast, _), ChannelListener(broadcast, "first") as first:
        await first.gap()
        async with ChannelListener(broadcast, "second") as second:
            await second.gap()
            await broadcast.publish("second", "b")
            await broadcast.publish("first", "a")
            assert (await first.message(), await second.message()) == ("a", "b")


async def test_a_channel_that_everybody_left_can_be_opened_again(redis_url: str, prefix: str) -> None:
    async with running(redis_url, prefix=prefix) as (broadcast, _), ChannelListener(broadcast, "kept") as kept:
        for round_ in range(3):
            async with ChannelListener(broadcast, "again") as ear:
                await ear.gap()
                await broadcast.publish("again", str(round_))
                assert await ear.message() == str(round_)
        await broadcast.publish("kept", "still here")
        assert await kept.message() == "still here"


async def test_two_processes_hear_each_other_and_other_prefixes_stay_apart(redis_url: str, prefix: str) -> None:
    async with AsyncExitStack() as stack:
        one, _ = await stack.enter_async_context(running(redis_url, prefix=prefix))
        two, _ = await stack.enter_async_context(running(redis_url, prefix=prefix))
        other, _ = await stack.enter_async_context(running(redis_url, prefix=f"{prefix}other:"))
        ears = [await stack.enter_async_context(ChannelListener(each, "c")) for each in (one, two, other)]
        for ear in ears:
            await ear.gap()
        await one.publish("c", "from one")
        await other.publish("c", "from another house")
        assert [await ear.message() for ear in ears] == ["from one", "from one", "from another house"]


async def test_stopping_leaves_no_task_and_no_connection(redis_server: BreakableServer) -> None:
    async with Redis.from_url(redis_server.url) as client:
        before = len(asyncio.all_tasks()), len(await client.client_list())
        async with running(redis_server.url) as (broadcast, _), ChannelListener(broadcast, "c") as ear:
            await ear.gap()
            await broadcast.publish("c", "x")
        await until(lambda: len(asyncio.all_tasks()) == before[0])
        async with asyncio.timeout(TIMEOUT):
            while len(await client.client_list()) != before[1]:
                pass  # the server hears of a closed connection a moment later
