"""Metrics of the stores: PostgreSQL with its pools and replicas, and Redis."""

from __future__ import annotations

from collections.abc import Sequence

from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import RedisCaller
from app.telemetry.metrics.registry import Metric, counter, gauge, histogram
from app.wiring import App


def store_metrics(app: App) -> Sequence[Metric]:
    """Return the metrics of all stores."""
    return [
        gauge(
            "store_circuit_open",
            "1 while the circuit breaker of a store is open.",
            lambda: {(breaker.name,): breaker.is_open for breaker in _breakers(app)},
            "store",
        ),
        counter(
            "store_circuit_trips",
            "How often the circuit breaker of a store opened.",
            lambda: {(breaker.name,): breaker.trips for breaker in _breakers(app)},
            "store",
        ),
        *_postgres_metrics(app),
        *_backup_metrics(app),
        *_replica_metrics(app),
        *_redis_metrics(app),
    ]


def _breakers(app: App) -> list[CircuitBreaker]:
    return [database.breaker for database in app.databases] + [caller.breaker for caller in _redis_callers(app)]


def _redis_callers(app: App) -> list[RedisCaller]:
    return [*app.redis_callers, *app.rate_limiter.node_callers]


def _postgres_metrics(app: App) -> Sequence[Metric]:
    databases = {database.breaker.name: database for database in app.databases}
    archiver = app.store_statistics.archiver
    return [
        histogram(
            "postgres_statement_duration_seconds",
            "Time of the statements that succeeded, with the way to PostgreSQL and back.",
            lambda: {(name,): database.statement_seconds for name, database in databases.items()},
            "pool",
        ),
        counter(
            "postgres_failures",
            "Uses of a connection that failed: `pool_timeout` if there was none in time, `circuit_open` if none was "
            "tried, otherwise `unavailable`.",
            lambda: {
                (name, kind): database.failures[kind]
                for name, database in databases.items()
                for kind in ("pool_timeout", "circuit_open", "unavailable")
            },
            "pool",
            "kind",
        ),
        gauge(
            "postgres_pool_connections",
            "Open connections of a pool, by state: `used` or `idle`.",
            lambda: {
                (name, state): number
                for name, database in databases.items()
                for state, number in (("used", database.used_connections), ("idle", database.idle_connections))
            },
            "pool",
            "state",
        ),
        gauge(
            "postgres_pool_max_connections",
            "Connections that a pool may have.",
            lambda: {(name,): database.max_connections for name, database in databases.items()},
            "pool",
        ),
        gauge(
            "postgres_pool_waiting",
            "Callers that wait for a connection of a pool.",
            lambda: {(name,): database.waiting for name, database in databases.items()},
            "pool",
        ),
        histogram(
            "postgres_pool_acquire_duration_seconds",
            "Time to get a connection: to wait for one that is free, or to open another one.",
            lambda: {(name,): database.acquire_seconds for name, database in databases.items()},
            "pool",
        ),
        gauge(
            "postgres_wal_archive_failing",
            "1 while the last attempt of PostgreSQL to archive its write-ahead log has failed; absent if it archives "
            "nothing.",
            lambda: {} if archiver.is_failing is None else {(): archiver.is_failing},
        ),
        gauge(
            "postgres_wal_archive_last_success_timestamp_seconds",
            "When PostgreSQL last archived a file of its write-ahead log, in Unix time; absent before the first one.",
            lambda: {} if archiver.last_success is None else {(): archiver.last_success},
        ),
        gauge(
            "clock_skew_seconds",
            "The time of this machine less that of PostgreSQL, as last measured.",
            lambda: app.server_clock.skew.total_seconds(),
        ),
    ]


def _backup_metrics(app: App) -> Sequence[Metric]:
    statistics = app.store_statistics
    return [
        gauge(
            "backup_last_success_timestamp_seconds",
            "When `leaderboard backup` last made and checked a backup of this kind, in Unix time: `base` or `dump`; "
            "absent before the first one.",
            lambda: {(one.kind,): at for one in statistics.backups if (at := one.succeeded_at) is not None},
            "kind",
        ),
        gauge(
            "backup_last_failure_timestamp_seconds",
            "When it last failed to, in Unix time; absent if it never did.",
            lambda: {(one.kind,): at for one in statistics.backups if (at := one.failed_at) is not None},
            "kind",
        ),
        gauge(
            "backup_size_bytes",
            "The size of the last backup that succeeded.",
            lambda: {(one.kind,): size for one in statistics.backups if (size := one.bytes) is not None},
            "kind",
        ),
    ]


def _replica_metrics(app: App) -> Sequence[Metric]:
    replicas = app.replicas
    return [
        gauge(
            "replica_lag_seconds",
            "How far a replica may be behind the primary; absent while that is unknown.",
            lambda: {(one.name,): lag for one in replicas.all if (lag := replicas.lag(one)) is not None},
            "replica",
        ),
        gauge(
            "replica_usable",
            "1 while the lag of a replica is within REPLICA_MAX_LAG.",
            lambda: {(one.name,): replicas.is_usable(one) for one in replicas.all},
            "replica",
        ),
        counter(
            "replica_reads",
            "Reads that a replica served.",
            lambda: {(one.name,): one.reads for one in replicas.all},
            "replica",
        ),
        counter(
            "replica_reads_skipped",
            "Reads for which a replica was passed over, as it lagged or did not answer.",
            lambda: {(one.name,): one.skipped for one in replicas.all},
            "replica",
        ),
    ]


def _redis_metrics(app: App) -> Sequence[Metric]:
    statistics = app.store_statistics
    return [
        histogram(
            "redis_call_duration_seconds",
            "Time of the calls of Redis, whether they succeeded or not: a call is a command, a script or a pipeline.",
            lambda: {(caller.breaker.name,): caller.seconds for caller in _redis_callers(app)},
            "caller",
        ),
        counter(
            "redis_failures",
            "Calls of Redis that failed, by kind: unreachable, writes_refused, or client for undocumented errors.",
            lambda: {
                (caller.breaker.name, kind): caller.failures[kind]
                for caller in _redis_callers(app)
                for kind in ("unreachable", "writes_refused", "client")
            },
            "caller",
            "kind",
        ),
        gauge(
            "redis_memory_used_bytes",
            "Memory that Redis uses, the sum of all nodes of a cluster; absent while it is unknown.",
            lambda: {} if statistics.redis_used_bytes is None else {(): statistics.redis_used_bytes},
        ),
        gauge(
            "redis_memory_max_bytes",
            "`maxmemory` of Redis, the sum of all nodes of a cluster; absent if there is no limit.",
            lambda: {} if not statistics.redis_max_bytes else {(): statistics.redis_max_bytes},
        ),
    ]
