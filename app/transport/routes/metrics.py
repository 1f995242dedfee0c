"""The metrics of the service, by name, at `/metrics`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.context import Context
from app.execution import Engine
from app.telemetry.metrics.registry import Metric, Metrics
from app.transport.http.response_cache import ResponseCache
from app.transport.http.streams import Streams
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.server.head_cache import RequestHeadCache
from app.transport.sockets.connections import Connections
from app.wiring import App

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def route(
    app: App,
    engine: Engine,
    shared: SubscriptionMultiplexer,
    streams: Streams[Context],
    connections: Connections,
    response_cache: ResponseCache | None,
    request_head_cache: RequestHeadCache,
) -> Route:
    """Return the route `/metrics`, in the text format of Prometheus."""
    metrics = Metrics(
        [
            *_stores(app),
            *_jobs(app),
            *_boards(app),
            *_channels(app),
            *_operations(engine, shared, response_cache),
            *_requests(request_head_cache, streams),
            *_sockets(connections),
        ]
    )

    async def page(_: Request) -> Response:
        return Response(metrics.render(), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})

    return Route("/metrics", page)


def _stores(app: App) -> list[Metric]:
    replicas = app.replicas
    breakers = {"postgres": app.database.breaker, "redis": app.redis_caller.breaker}
    return [
        Metric(
            "store_circuit_open",
            "1 while the circuit breaker of a store is open.",
            lambda: {(name,): breaker.is_open for name, breaker in breakers.items()},
            ("store",),
        ),
        Metric(
            "store_circuit_trips",
            "How often the circuit breaker of a store opened.",
            lambda: {(name,): breaker.trips for name, breaker in breakers.items()},
            ("store",),
            counts=True,
        ),
        Metric(
            "access_tokens_refused",
            "Access tokens that were refused, by the check that failed first.",
            lambda: {(check,): count for check, count in app.access_tokens.refused.items()},
            ("check",),
            counts=True,
        ),
        Metric(
            "operations_running",
            "Queries and mutations that are running.",
            lambda: app.running_operations.total,
        ),
        Metric(
            "operations_refused_by_running_limit",
            "Queries and mutations that were refused because too many were running.",
            lambda: app.running_operations.refused,
            counts=True,
        ),
        Metric(
            "reads_refused",
            "Expensive reads that were refused because too many were waiting: of the past, or of boards beyond their "
            "heads without Redis.",
            lambda: {(name,): bulkhead.refused for name, bulkhead in app.bulkheads.items()},
            ("bulkhead",),
            counts=True,
        ),
        Metric(
            "clock_skew_seconds",
            "The time of this machine less that of PostgreSQL, as last measured.",
            lambda: app.server_clock.skew.total_seconds(),
        ),
        Metric(
            "replica_lag_seconds",
            "How far a replica may be behind the primary; absent while that is unknown.",
            lambda: {(one.name,): lag for one in replicas.all if (lag := replicas.lag(one)) is not None},
            ("replica",),
        ),
        Metric(
            "replica_usable",
            "1 while the lag of a replica is within REPLICA_MAX_LAG.",
            lambda: {(one.name,): replicas.is_usable(one) for one in replicas.all},
            ("replica",),
        ),
        Metric(
            "replica_reads",
            "Reads that a replica served.",
            lambda: {(one.name,): one.reads for one in replicas.all},
            ("replica",),
            counts=True,
        ),
        Metric(
            "replica_reads_skipped",
            "Reads for which a replica was passed over, as it lagged or did not answer.",
            lambda: {(one.name,): one.skipped for one in replicas.all},
            ("replica",),
            counts=True,
        ),
        Metric(
            "board_index_writes_missed",
            "Postings whose update of Redis failed and was repaired later.",
            lambda: app.after_commit.missed,
            counts=True,
        ),
        Metric(
            "board_index_incomplete",
            "Categories that Redis lacks something of, so that their boards are read from PostgreSQL.",
            lambda: len(app.missed_writes.incomplete),
        ),
        Metric(
            "board_index_rebuilds",
            "Categories that this process loaded into Redis, by the reason. other_postgresql and lost_transactions: "
            "PostgreSQL lacks what Redis had.",
            lambda: {(reason,): count for reason, count in app.rebuild.rebuilds.items()},
            ("reason",),
            counts=True,
        ),
        Metric(
            "reconcile_rows_corrected",
            "Rows that reconciliation wrote to Redis again, because their digests differed.",
            lambda: app.reconcile.rows_corrected,
            counts=True,
        ),
        Metric(
            "reconcile_boards_reloaded",
            "Boards that still differed after all corrections, so that their category was loaded again.",
            lambda: app.reconcile.uncorrected,
            counts=True,
        ),
        Metric(
            "redis_failures",
            "Calls of Redis that failed, by kind: unreachable, writes_refused, or client for undocumented errors.",
            lambda: {(kind,): count for kind, count in app.redis_caller.failures.items()},
            ("kind",),
            counts=True,
        ),
        Metric(
            "account_cache_reads",
            "Submissions by the source of the account: the cache in memory, or the database.",
            lambda: {("memory",): app.account_cache.hits, ("database",): app.account_cache.misses},
            ("source",),
            counts=True,
        ),
        Metric(
            "completions",
            "Completions by outcome: paid, flagged or held; and verified or not_verified where a verifier was asked.",
            lambda: {(outcome,): count for outcome, count in app.award_service.outcomes.items()},
            ("outcome",),
            counts=True,
        ),
        Metric(
            "milestones_dropped",
            "Milestones that were not awarded at once or not announced because the queue was full.",
            lambda: app.milestones.dropped,
            counts=True,
        ),
        Metric(
            "background_failures",
            "How often background work had to be started again.",
            lambda: {(work.name,): work.failures for work in app.supervisor.works},
            ("work",),
            counts=True,
        ),
    ]


def _jobs(app: App) -> list[Metric]:
    states = app.jobs.states
    return [
        Metric("jobs_leader", "1 on the instance that runs the jobs.", lambda: app.jobs.is_leader),
        Metric(
            "job_runs",
            "Runs of a job on this instance that ended, whatever their outcome.",
            lambda: {(name,): state.runs for name, state in states.items()},
            ("job",),
            counts=True,
        ),
        Metric(
            "job_failures",
            "Runs of a job on this instance that failed, timed out or were postponed.",
            lambda: {(name,): state.failures for name, state in states.items()},
            ("job",),
            counts=True,
        ),
        Metric(
            "job_running",
            "1 while the job runs on this instance.",
            lambda: {(name,): state.running for name, state in states.items()},
            ("job",),
        ),
        Metric(
            "job_interval_seconds",
            "Time between two runs of a job.",
            lambda: {(job.name,): job.interval for job in app.jobs.all},
            ("job",),
        ),
        Metric(
            "job_last_success_timestamp_seconds",
            "When a run of the job last succeeded on this instance, in Unix time; absent before the first success.",
            lambda: {(name,): state.last_success.timestamp() for name, state in states.items() if state.last_success},
            ("job",),
        ),
        Metric(
            "job_last_duration_seconds",
            "How long the last run of the job on this instance took; absent before the first run.",
            lambda: {(name,): state.last_duration for name, state in states.items() if state.last_duration is not None},
            ("job",),
        ),
    ]


def _boards(app: App) -> list[Metric]:
    counters, budget = app.hub.counters, app.hub.budget
    return [
        Metric("feeds", "Boards with a feed in this process.", lambda: app.hub.feeds),
        Metric("watchers", "Open subscriptions to boards, users and milestones.", lambda: app.hub.watchers),
        Metric("board_reads", "Reads of the heads of boards by feeds.", lambda: counters.reads, counts=True),
        Metric(
            "board_view_reads",
            "Reads of views beyond the head, a slice each.",
            lambda: counters.view_reads,
            counts=True,
        ),
        Metric("board_views", "Subscriptions to views beyond the head.", lambda: len(budget)),
        Metric("board_views_refused", "Views that were refused by a limit.", lambda: budget.refused, counts=True),
        Metric(
            "board_views_dropped",
            "Views that were ended in favour of less expensive ones.",
            lambda: budget.dropped,
            counts=True,
        ),
        Metric("board_polls", "Checks of the version of a board by feeds.", lambda: counters.polls, counts=True),
        Metric(
            "board_read_failures",
            "Reads that neither store answered.",
            lambda: counters.failures,
            counts=True,
        ),
        Metric(
            "board_change_notifications", "Change notifications of boards.", lambda: counters.notifications, counts=True
        ),
        Metric(
            "board_change_gaps",
            "Times at which change notifications may have been lost.",
            lambda: counters.gaps,
            counts=True,
        ),
    ]


def _channels(app: App) -> list[Metric]:
    backend, notices, counters = app.backend, app.notices, app.hub.counters
    return [
        Metric("channel_messages_received", "Messages that Redis delivered.", lambda: backend.received, counts=True),
        Metric(
            "channel_messages_published",
            "Messages that this process published; change notifications are published by scripts in Redis.",
            lambda: backend.published,
            counts=True,
        ),
        Metric(
            "channel_messages_unreadable",
            "Change notifications that could not be decoded.",
            lambda: counters.unreadable,
            counts=True,
        ),
        Metric(
            "channel_gaps",
            "Times at which messages of a channel may have been lost, its first subscription included.",
            lambda: backend.gaps,
            counts=True,
        ),
        Metric(
            "channel_overflows",
            "Times at which waiting messages were discarded, as they arrived faster than they were processed.",
            lambda: backend.overflows,
            counts=True,
        ),
        Metric("channel_outages", "Lost connections of the channels.", lambda: backend.outages, counts=True),
        Metric("notices_received", "Notices that were received and decoded.", lambda: notices.received, counts=True),
        Metric("notices_unreadable", "Notices that could not be decoded.", lambda: notices.unreadable, counts=True),
        Metric(
            "notices_lost",
            "How often notices may have been lost, so that all caches were invalidated.",
            lambda: notices.losses,
            counts=True,
        ),
    ]


def _operations(engine: Engine, shared: SubscriptionMultiplexer, response_cache: ResponseCache | None) -> list[Metric]:
    ways = engine.executions
    return [
        Metric(
            "executions",
            "Executions by executor, including those of subscription events.",
            lambda: {("compiled",): ways.compiled, ("interpreted",): ways.interpreted},
            ("executor",),
            counts=True,
        ),
        Metric(
            "response_cache_hits",
            "Queries that were answered from the response cache.",
            lambda: response_cache.hits if response_cache else 0,
            counts=True,
        ),
        Metric("subscription_groups", "Executions that several subscribers share.", lambda: shared.groups),
        Metric("subscription_group_subscribers", "Subscribers of shared executions.", lambda: shared.counters.members),
        Metric(
            "frames_superseded",
            "Messages to slow consumers that were replaced by newer ones.",
            lambda: shared.counters.superseded,
            counts=True,
        ),
    ]


def _requests(request_head_cache: RequestHeadCache, streams: Streams[Context]) -> list[Metric]:
    return [
        Metric("streams", "Open subscriptions over plain HTTP.", lambda: streams.open),
        Metric(
            "request_head_cache_hits",
            "HTTP requests whose head was found in the request head cache.",
            lambda: request_head_cache.hits,
            counts=True,
        ),
    ]


def _sockets(connections: Connections) -> list[Metric]:
    return [
        Metric("sockets", "Open sockets.", lambda: len(connections)),
        Metric("socket_operations", "Operations on open sockets.", lambda: connections.operations),
        Metric("sockets_opened", "Sockets that were accepted.", lambda: connections.opened, counts=True),
        Metric(
            "sockets_refused",
            "Sockets over the limit that were refused.",
            lambda: connections.refused,
            counts=True,
        ),
        Metric(
            "sockets_closed",
            "Closed sockets by the code the server closed them with; 0 when the client left.",
            lambda: {(str(int(code or 0)),): number for code, number in connections.closed.items()},
            ("code",),
            counts=True,
        ),
    ]
