"""Clients of Redis: their pools, timeouts and retries, for one server and for a cluster."""

from __future__ import annotations

from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

MAX_CONNECTIONS = 32
"""Connections to one server. Callers wait for a free one, at most for the timeout."""


def open_redis(url: str, *, timeout: float) -> Redis:
    """Create a client of one server, without retries. Every wait ends after `timeout` seconds.

    Channels use it in a cluster too, because a cluster delivers published messages on every node.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


def open_cluster(url: str, *, timeout: float) -> Redis:
    """Create a client of a cluster. It has the same interface, and every call of the service uses keys of one slot.

    The first connection discovers the nodes, so connecting may take four times `timeout` seconds. One retry follows a
    redirection to another node.
    """
    cluster: Any = RedisCluster.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=4 * timeout, retry=Retry(NoBackoff(), 1)
    )
    return cast(Redis, cluster)
