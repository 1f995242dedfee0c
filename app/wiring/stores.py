"""Wiring of the stores: PostgreSQL with its replicas, Redis, and the board index in it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio import Redis

from app.config import Settings
from app.postgresql.url import parse_database_url
from app.runtime import Runtime
from app.services.board_index import REDIS_FAILURES, BoardIndex, IndexLoader, RedisCaller
from app.services.board_index import Keys as RedisKeys
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.postgres import POSTGRES_FAILURES, Database, open_engine
from app.stores.redis_clients import open_cluster, open_redis
from app.stores.replicas import Replicas
from app.stores.server_clock import ServerClock
from app.stores.signal import Signal

MIN_HOUSEKEEPING_TIMEOUT = 3.0
"""The minimum timeout of housekeeping calls to Redis, in seconds: one call writes a thousand rows."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The clients of all stores, and the adapters on top of them.

    Attributes:
        replicas: For reads that may be slightly behind the primary.
        housekeeping_index: The board index for housekeeping, which moves many rows per call and has a longer timeout.
        index_loader: Loads whole categories, with the same timeout as `housekeeping_index`.
        availability_changed: Called when PostgreSQL or Redis becomes unavailable or available again.
    """

    database: Database
    server_clock: ServerClock
    replicas: Replicas
    redis: Redis
    redis_caller: RedisCaller
    keys: RedisKeys
    board_index: BoardIndex
    housekeeping_index: BoardIndex
    index_loader: IndexLoader
    availability_changed: Signal


def open_stores(settings: Settings, runtime: Runtime, stack: AsyncExitStack) -> Stores:
    """Create the clients of all stores, which connect when they are used; `stack` closes them."""
    assert settings.database_url is not None
    availability_changed = Signal()
    database = _database(settings.database_url, "postgres", settings, runtime, stack, availability_changed)
    server_clock = ServerClock(database, runtime, max_skew=timedelta(seconds=settings.max_clock_skew))
    database.before_write = server_clock.require_acceptable_skew
    replicas = [
        _database(url, f"replica {parse_database_url(url).label}", settings, runtime, stack, Signal())
        for url in settings.database_replica_urls
    ]
    redis = _command_client(settings, stack)
    redis_caller = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, runtime, on_change=availability_changed))
    housekeeping_timeout = max(MIN_HOUSEKEEPING_TIMEOUT, settings.redis_timeout)
    housekeeping_redis = _command_client(settings.model_copy(update={"redis_timeout": housekeeping_timeout}), stack)
    housekeeping_caller = RedisCaller(CircuitBreaker("redis for housekeeping", REDIS_FAILURES, runtime))
    keys = RedisKeys(settings.redis_prefix)

    return Stores(
        database,
        server_clock,
        Replicas(replicas, database, runtime, max_lag=settings.replica_max_lag),
        redis,
        redis_caller,
        keys,
        BoardIndex(redis, redis_caller, keys, runtime),
        BoardIndex(housekeeping_redis, housekeeping_caller, keys, runtime),
        IndexLoader(housekeeping_redis, housekeeping_caller, keys),
        availability_changed,
    )


def _command_client(settings: Settings, stack: AsyncExitStack) -> Redis:
    assert settings.redis_url is not None
    open_client = open_cluster if settings.redis_cluster_enabled else open_redis
    redis = open_client(settings.redis_url, timeout=settings.redis_timeout)
    stack.push_async_callback(redis.aclose)
    return redis


def _database(
    url: str, name: str, settings: Settings, runtime: Runtime, stack: AsyncExitStack, on_change: Signal
) -> Database:
    engine = open_engine(
        url,
        max_connections=settings.db_pool_max,
        timeout=settings.db_timeout,
        name="leaderboard",
    )
    stack.push_async_callback(engine.dispose)
    return Database(engine, CircuitBreaker(name, POSTGRES_FAILURES, runtime, on_change=on_change))
