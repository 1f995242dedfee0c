"""Channels in a cluster of real Redis servers, while nodes end and slots move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest
from broadcaster import Broadcast

from app.pubsub.channels.redis_backend import RedisBackend
from app.runtime import Runtime
from app.stores.redis_clients import ClusterChannelServers
from tests.support.boards.channels import QUICK, ChannelListener
from tests.support.processes.redis_cluster import RedisClusterServers, redis_cluster
from tests.support.wait_until import TIMEOUT

CATEGORIES = ("global", "europe", "asia", "africa", "america", "oceania")
"""Their slots are spread over all masters."""


@pytest.fixture
async def cluster() -> AsyncIterator[RedisClusterServers]:
    async with redis_cluster() as servers:
        yield servers


@asynccontextmanager
async def _running(cluster: RedisClusterServers) -> AsyncIterator[tuple[Broadcast, RedisBackend]]:
    servers = ClusterChannelServers(cluster.url, timeout=1.0)
    backend = RedisBackend(servers, Runtime(random=Random(1)), timing=QUICK)
    async with Broadcast(backend=backend) as broadcast, asyncio.TaskGroup() as group:
        task = group.create_task(backend.run())
        try:
            yield broadcast, backend
        finally:
            task.cancel()


async def _delivered(broadcast: Broadcast, ear: ChannelListener, channel: str, text: str) -> None:
    """Publish until a message arrives: what is published during an outage is lost, and a gap follows."""
    async with asyncio.timeout(2 * TIMEOUT):
        while True:
            try:
                async with asyncio.timeout(1):
                    await broadcast.publish(channel, text)
                    while await ear.message() != text:
                        pass
                    return
            except Exception as error:
                if isinstance(error, AssertionError):
                    raise
                await asyncio.sleep(0.05)


def _channel(category: str) -> str:
    return f"boards:{{{category}}}"


async def test_channels_of_all_nodes_deliver(cluster: RedisClusterServers):
    masters = {(await cluster.master_of(f"{{{category}}}")).port for category in CATEGORIES}
    assert len(masters) == 3
    async with _running(cluster) as (broadcast, backend), AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(ChannelListener(broadcast, _channel(each))) for each in CATEGORIES]
        for ear, category in zip(ears, CATEGORIES, strict=True):
            await ear.gap()
            await broadcast.publish(_channel(category), category)
            assert await ear.message() == category
        assert backend.healthy.is_set()


async def test_a_channel_follows_its_slot_to_the_replica_that_replaces_a_dead_master(cluster: RedisClusterServers):
    async with _running(cluster) as (broadcast, backend), AsyncExitStack() as stack:
        ears = {
            category: await stack.enter_async_context(ChannelListener(broadcast, _channel(category)))
            for category in CATEGORIES
        }
        for ear in ears.values():
            await ear.gap()
        dead = await cluster.master_of("{global}")
        dead.kill()
        await cluster.until_promoted("{global}", dead)
        for category, ear in ears.items():
            await _delivered(broadcast, ear, _channel(category), f"after the failover: {category}")
        async with asyncio.timeout(TIMEOUT):
            await backend.healthy.wait()


async def test_a_channel_follows_its_slot_to_another_node(cluster: RedisClusterServers):
    async with _running(cluster) as (broadcast, backend), ChannelListener(broadcast, _channel("global")) as ear:
        await ear.gap()
        target = await cluster.add_master()
        await cluster.move_slot("{global}", target)
        await _delivered(broadcast, ear, _channel("global"), "moved")
        async with asyncio.timeout(TIMEOUT):
            await backend.healthy.wait()
        assert await cluster.master_of("{global}") is target


async def test_a_cluster_that_is_not_there_at_first_is_found_later(cluster: RedisClusterServers):
    for node in cluster.nodes:
        node.kill()
    async with _running(cluster) as (broadcast, _), ChannelListener(broadcast, _channel("global")) as ear:
        await asyncio.gather(*(node.start() for node in cluster.nodes))
        await cluster.until_whole()
        await _delivered(broadcast, ear, _channel("global"), "found")
