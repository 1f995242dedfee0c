"""The stores: PostgreSQL with its replicas, Redis, and the boards in it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.config import Settings
from app.pubsub.channels.events import boards_channel
from app.runtime import Runtime
from app.services.board_index import REDIS_FAILURES, BoardIndex, IndexLoader, RedisCaller
from app.services.board_index import Keys as RedisKeys
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.postgres import POSTGRES_FAILURES, Database, open_engine
from app.stores.replicas import Replicas

PATIENCE = 3.0
"""Seconds that housekeeping waits for Redis: a thousand rows take their time on a busy machine."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Connections, and what speaks to them directly.

    `replicas` reads where a moment's delay does no harm. `bulk` and `index_loader` are for housekeeping, which moves
    much at a time while nobody waits for it.
    """

    database: Database
    replicas: Replicas
    redis: Redis
    redis_caller: RedisCaller
    keys: RedisKeys
    standings: BoardIndex
    bulk: BoardIndex
    index_loader: IndexLoader


def open_stores(settings: Settings, runtime: Runtime, stack: AsyncExitStack) -> Stores:
    """Clients of all stores; nothing is connected before it is used. `stack` closes them."""
    assert settings.database_url is not None
    database = _database(settings.database_url, settings, runtime, stack)
    replicas = [_database(url, settings, runtime, stack) for url in settings.database_replica_urls]
    redis = _commands(settings, stack)
    redis_caller = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, runtime))
    patient = _commands(settings.model_copy(update={"redis_timeout": max(PATIENCE, settings.redis_timeout)}), stack)
    patient_guard = RedisCaller(CircuitBreaker("redis for housekeeping", REDIS_FAILURES, runtime))
    keys = RedisKeys(settings.redis_prefix)

    def channel(category: str) -> str:
        return f"{settings.redis_prefix}:{boards_channel(category)}"

    return Stores(
        database,
        Replicas(replicas, database),
        redis,
        redis_caller,
        keys,
        BoardIndex(redis, redis_caller, keys, channel, runtime.clock),
        BoardIndex(patient, patient_guard, keys, channel, runtime.clock),
        IndexLoader(patient, patient_guard, keys),
    )


def _commands(settings: Settings, stack: AsyncExitStack) -> Redis:
    redis = _new_cluster(settings) if settings.redis_cluster_enabled else new_redis(settings)
    stack.push_async_callback(redis.aclose)
    return redis


def new_redis(settings: Settings) -> Redis:
    """A client of one server that repeats nothing by itself and waits for nothing long.

    For channels also in a cluster: what is published on one node is heard on all.
    """
    assert settings.redis_url is not None
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=32,
        timeout=settings.redis_timeout,
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=settings.redis_timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


def _new_cluster(settings: Settings) -> Redis:
    """The same for a cluster. It speaks the same language, and every call of ours stays within one slot."""
    assert settings.redis_url is not None
    cluster: Any = RedisCluster.from_url(
        settings.redis_url,
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=4 * settings.redis_timeout,
        retry=Retry(NoBackoff(), 1),
    )
    return cast(Redis, cluster)


def _database(url: str, settings: Settings, runtime: Runtime, stack: AsyncExitStack) -> Database:
    engine = open_engine(
        url,
        max_connections=settings.db_pool_max,
        timeout=settings.db_timeout,
        name="leaderboard",
    )
    stack.push_async_callback(engine.dispose)
    return Database(engine, CircuitBreaker("postgres", POSTGRES_FAILURES, runtime))
