"""Wiring of the stores: PostgreSQL with its replicas, Redis, and the board index in it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio import Redis

from app.config import Settings
from app.postgresql.url import parse_database_url
from app.runtime import Runtime
from app.services.board_index import BoardIndex
from app.services.board_index import Keys as RedisKeys
from app.services.board_index.row_reader import IndexRows
from app.services.board_index.shards import SplitBoardIndex, SplitIndexLoader, SplitIndexRows
from app.services.catalogue.cache import CatalogueService
from app.stores.bulk_redis import BulkRedisCaller
from app.stores.bulkhead import Bulkhead
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.postgres import POSTGRES_FAILURES, Database, open_engine
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller
from app.stores.redis_clients import open_client
from app.stores.replicas import Replicas
from app.stores.server_clock import ServerClock
from app.stores.signal import Signal
from app.stores.slow_statements import SlowStatements

MIN_HOUSEKEEPING_TIMEOUT = 3.0
"""The minimum timeout of housekeeping calls to Redis, in seconds: one call writes a thousand rows."""

MIN_BULK_TIMEOUT = 1.0
"""The minimum timeout of a read of many views, in seconds."""

MAX_CONCURRENT_BULK_READS = 2
"""Reads of many views at a time: for feeds, and as many again for queries, so that neither waits for the other."""
MAX_WAITING_FOR_PAST = 16
"""How many reads of the past may wait for a connection: as many as one page of an application may ask for."""
MAX_WAIT_FOR_PAST = 0.25
"""Seconds after which a read of the past is refused."""
MAX_WAITING_FOR_DEEP = 64
"""How many reads of whole boards may wait for a connection. Equal ones and those of one board are combined before."""
MAX_WAIT_FOR_DEEP = 1.0
"""Seconds after which a read of a whole board is refused."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The clients of all stores, and the adapters on top of them.

    Attributes:
        replicas: For reads that may be slightly behind the primary.
        catalogue: The categories, which say in how many shards their boards are.
        feed_views_index: The board index for the views of feeds beyond the head, see `BulkRedisCaller`.
        query_views_index: The board index for queries of many views, see `BulkRedisCaller`.
        past: For reads of the past and of histories.
        deep: For reads of current boards beyond their heads, while Redis does not answer.
        housekeeping_index: The board index for housekeeping, which moves many rows per call and has a longer timeout.
        index_loader: Loads whole categories, with the same timeout as `housekeeping_index`.
        index_rows: Reads single rows of the board index, to verify them.
        availability_changed: Called when PostgreSQL or Redis becomes unavailable or available again.
        databases: All pools of connections, for metrics; their circuit breakers have different names.
        redis_callers: All callers of Redis, for metrics.
    """

    database: Database
    server_clock: ServerClock
    replicas: Replicas
    past: Bulkhead
    deep: Bulkhead
    redis: Redis
    redis_caller: RedisCaller
    keys: RedisKeys
    catalogue: CatalogueService
    board_index: BoardIndex
    feed_views_index: BoardIndex
    query_views_index: BoardIndex
    housekeeping_index: BoardIndex
    index_loader: SplitIndexLoader
    index_rows: IndexRows
    availability_changed: Signal
    databases: Sequence[Database]
    redis_callers: Sequence[RedisCaller]


def open_stores(settings: Settings, runtime: Runtime, stack: AsyncExitStack) -> Stores:
    """Create the clients of all stores, which connect when they are used; `stack` closes them."""
    availability_changed = Signal()
    database = open_database(settings, runtime, stack, availability_changed)
    server_clock = ServerClock(database, runtime, max_skew=timedelta(seconds=settings.max_clock_skew))
    database.before_write = server_clock.require_acceptable_skew
    redis = _command_client(settings, stack)
    redis_breaker = CircuitBreaker("redis", REDIS_FAILURES, runtime, on_change=availability_changed)
    redis_caller = RedisCaller(redis_breaker, reads_while_read_only=False)
    bulk_redis = _command_client(settings, stack, MIN_BULK_TIMEOUT)
    housekeeping_redis = _command_client(settings, stack, MIN_HOUSEKEEPING_TIMEOUT)
    housekeeping_caller = RedisCaller(CircuitBreaker("redis for housekeeping", REDIS_FAILURES, runtime))
    keys = RedisKeys(settings.redis_prefix)
    catalogue = CatalogueService(database, settings.score_cap)
    shards = catalogue.shard_count

    def bulk_caller(name: str) -> BulkRedisCaller:
        breaker = CircuitBreaker(name, REDIS_FAILURES, runtime)
        return BulkRedisCaller(breaker, redis_caller, redis.ping, max_concurrent=MAX_CONCURRENT_BULK_READS)

    feed_views, query_views = bulk_caller("redis for views of feeds"), bulk_caller("redis for views of queries")

    replicas = open_replicas(settings, database, runtime, stack)
    past, databases_of_past = _bulkhead(
        settings,
        runtime,
        stack,
        "past",
        replicas,
        MAX_WAITING_FOR_PAST,
        MAX_WAIT_FOR_PAST,
        "Too many reads of the past.",
    )
    # From the primary alone, so that users see their own changes.
    deep, databases_of_deep = _bulkhead(
        settings,
        runtime,
        stack,
        "deep",
        None,
        MAX_WAITING_FOR_DEEP,
        MAX_WAIT_FOR_DEEP,
        "Too many reads of whole boards.",
    )
    return Stores(
        database,
        server_clock,
        replicas,
        past,
        deep,
        redis,
        redis_caller,
        keys,
        catalogue,
        SplitBoardIndex(redis, redis_caller, keys, runtime, shards),
        SplitBoardIndex(bulk_redis, feed_views, keys, runtime, shards),
        SplitBoardIndex(bulk_redis, query_views, keys, runtime, shards),
        SplitBoardIndex(housekeeping_redis, housekeeping_caller, keys, runtime, shards),
        SplitIndexLoader(housekeeping_redis, housekeeping_caller, keys, shards),
        SplitIndexRows(redis, redis_caller, keys, shards),
        availability_changed,
        [database, *(replica.database for replica in replicas.all), *databases_of_past, *databases_of_deep],
        [redis_caller, housekeeping_caller, feed_views, query_views],
    )


def open_database(
    settings: Settings, runtime: Runtime, stack: AsyncExitStack, on_change: Signal | None = None
) -> Database:
    """Create the client of PostgreSQL, which connects when it is used; `stack` closes it."""
    assert settings.database_url is not None
    return _database(settings.database_url, "postgres", settings, runtime, stack, on_change or Signal())


def open_replicas(settings: Settings, primary: Database, runtime: Runtime, stack: AsyncExitStack) -> Replicas:
    """Create the clients of the replicas, which connect when they are used; `stack` closes them."""
    replicas = [
        _database(url, f"replica {parse_database_url(url).label}", settings, runtime, stack, Signal())
        for url in settings.database_replica_urls
    ]
    return Replicas(replicas, primary, runtime, max_lag=settings.replica_max_lag)


def _command_client(settings: Settings, stack: AsyncExitStack, min_timeout: float = 0) -> Redis:
    assert settings.redis_url is not None
    redis = open_client(
        settings.redis_url,
        cluster=settings.redis_cluster_enabled,
        timeout=max(min_timeout, settings.redis_timeout),
    )
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
    slow = SlowStatements(runtime, seconds=settings.log_slow_statements)
    return Database(engine, CircuitBreaker(name, POSTGRES_FAILURES, runtime, on_change=on_change), slow)


def _bulkhead(
    settings: Settings,
    runtime: Runtime,
    stack: AsyncExitStack,
    name: str,
    replicas: Replicas | None,
    max_waiting: int,
    max_wait: float,
    refusal: str,
) -> tuple[Bulkhead, Sequence[Database]]:
    """Create a bulkhead with pools and circuit breakers of its own: its timeouts say nothing about other reads.

    Returns:
        The bulkhead and its pools.
    """
    assert settings.database_url is not None
    small = settings.model_copy(
        update={"db_pool_max": settings.db_expensive_pool_max, "db_timeout": settings.db_expensive_timeout}
    )

    def connections(url: str, server: str) -> Database:
        return _database(url, f"{server} for {name} reads", small, runtime, stack, Signal())

    primary = connections(settings.database_url, "postgres")
    others: list[Database] = []
    source: Database | Replicas = primary
    if replicas is not None:
        others = [
            connections(url, f"replica {parse_database_url(url).label}") for url in settings.database_replica_urls
        ]
        source = replicas.through(others, primary)
    bulkhead = Bulkhead(
        source, settings.db_expensive_pool_max, max_waiting=max_waiting, max_wait=max_wait, refusal=refusal
    )
    return bulkhead, [primary, *others]
