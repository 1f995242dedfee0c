"""What `/metrics` tells: the counters of every part, by name."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.context import Context
from app.execution import Engine
from app.telemetry.metrics import Metrics, Reading
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
    """`/metrics`, in Prometheus' text format."""
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


def _stores(app: App) -> list[Reading]:
    breakers = {"postgres": app.database.breaker, "redis": app.redis_caller.breaker}
    return [
        Reading(
            "store_circuit_open",
            "1 while a store is left alone because it failed.",
            lambda: {(name,): breaker.is_open for name, breaker in breakers.items()},
            ("store",),
        ),
        Reading(
            "store_circuit_trips",
            "How often a store failed so much that it was left alone.",
            lambda: {(name,): breaker.trips for name, breaker in breakers.items()},
            ("store",),
            counts=True,
        ),
        Reading(
            "puts_missed",
            "Postings that Redis missed and repair put right.",
            lambda: app.after_commit.missed,
            counts=True,
        ),
        Reading(
            "accounts_recalled",
            "Submissions judged by what memory knows of the player, and those for which it had to be loaded.",
            lambda: {("memory",): app.account_cache.hits, ("database",): app.account_cache.misses},
            ("source",),
            counts=True,
        ),
        Reading(
            "completions",
            "Completions by what was thought of them: paid, flagged, held, and verified or not_verified on the way.",
            lambda: {(outcome,): count for outcome, count in app.award_service.outcomes.items()},
            ("outcome",),
            counts=True,
        ),
        Reading(
            "milestones_dropped",
            "Milestones that were not awarded at once or not announced, as too many waited.",
            lambda: app.milestones.dropped,
            counts=True,
        ),
        Reading(
            "background_failures",
            "How often background work had to be started again.",
            lambda: {(work.name,): work.failures for work in app.supervisor.works},
            ("work",),
            counts=True,
        ),
    ]


def _jobs(app: App) -> list[Reading]:
    states = app.jobs.states
    return [
        Reading("jobs_leader", "1 on the instance that runs the jobs.", lambda: app.jobs.is_leader),
        Reading(
            "job_runs",
            "Runs of a job on this instance that ended, whatever their outcome.",
            lambda: {(name,): state.runs for name, state in states.items()},
            ("job",),
            counts=True,
        ),
        Reading(
            "job_failures",
            "Runs of a job on this instance that failed, timed out or were postponed.",
            lambda: {(name,): state.failures for name, state in states.items()},
            ("job",),
            counts=True,
        ),
        Reading(
            "job_running",
            "1 while the job runs on this instance.",
            lambda: {(name,): state.running for name, state in states.items()},
            ("job",),
        ),
        Reading(
            "job_interval_seconds",
            "Time between two runs of a job.",
            lambda: {(job.name,): job.interval for job in app.jobs.all},
            ("job",),
        ),
        Reading(
            "job_last_success_timestamp_seconds",
            "When a run of the job last succeeded on this instance, in Unix time; absent before the first success.",
            lambda: {(name,): state.last_success.timestamp() for name, state in states.items() if state.last_success},
            ("job",),
        ),
        Reading(
            "job_last_duration_seconds",
            "How long the last run of the job on this instance took; absent before the first run.",
            lambda: {(name,): state.last_duration for name, state in states.items() if state.last_duration is not None},
            ("job",),
        ),
    ]


def _boards(app: App) -> list[Reading]:
    counters = app.hub.counters
    return [
        Reading("feeds", "Boards that this process follows.", lambda: app.hub.feeds),
        Reading("watchers", "Open iterators over boards, users and milestones.", lambda: app.hub.watchers),
        Reading("board_reads", "Readings of boards by feeds.", lambda: counters.reads, counts=True),
        Reading("board_polls", "Checks of the version of a board by feeds.", lambda: counters.polls, counts=True),
        Reading("board_read_failures", "Readings that neither store answered.", lambda: counters.failures, counts=True),
        Reading("nudges", "Announcements that a board moved.", lambda: counters.notifications, counts=True),
        Reading("gaps", "Times at which announcements may have been lost.", lambda: counters.gaps, counts=True),
    ]


def _channels(app: App) -> list[Reading]:
    backend, notices, counters = app.backend, app.notices, app.hub.counters
    return [
        Reading("channel_messages_received", "Messages that Redis delivered.", lambda: backend.received, counts=True),
        Reading(
            "channel_messages_published",
            "Messages of this process that Redis took; announcements of boards are published by its scripts.",
            lambda: backend.published,
            counts=True,
        ),
        Reading(
            "channel_messages_unreadable",
            "Announcements of boards that could not be decoded.",
            lambda: counters.unreadable,
            counts=True,
        ),
        Reading(
            "channel_gaps",
            "Times at which messages of a channel may have been lost, its first subscription included.",
            lambda: backend.gaps,
            counts=True,
        ),
        Reading(
            "channel_overflows",
            "Times at which waiting messages were discarded, as they arrived faster than they were processed.",
            lambda: backend.overflows,
            counts=True,
        ),
        Reading("channel_outages", "Lost connections of the channels.", lambda: backend.outages, counts=True),
        Reading("notices_heard", "Notices that were received and decoded.", lambda: notices.received, counts=True),
        Reading("notices_unreadable", "Notices that could not be decoded.", lambda: notices.unreadable, counts=True),
        Reading(
            "notices_lost",
            "How often notices may have been missed, and all that rests on them was looked at anew.",
            lambda: notices.losses,
            counts=True,
        ),
    ]


def _operations(engine: Engine, shared: SubscriptionMultiplexer, response_cache: ResponseCache | None) -> list[Reading]:
    ways = engine.executions
    return [
        Reading(
            "executions",
            "Executions, events of subscriptions included, by executor.",
            lambda: {("compiled",): ways.compiled, ("interpreted",): ways.interpreted},
            ("executor",),
            counts=True,
        ),
        Reading(
            "answers_repeated",
            "Queries that were answered without an execution.",
            lambda: response_cache.hits if response_cache else 0,
            counts=True,
        ),
        Reading("shared_groups", "Executions that many subscribers share.", lambda: shared.groups),
        Reading("shared_members", "Subscribers of shared executions.", lambda: shared.counters.members),
        Reading(
            "frames_superseded",
            "Messages that a slow reader never got, for newer ones.",
            lambda: shared.counters.superseded,
            counts=True,
        ),
    ]


def _requests(request_head_cache: RequestHeadCache, streams: Streams[Context]) -> list[Reading]:
    return [
        Reading("streams", "Open subscriptions over plain HTTP.", lambda: streams.open),
        Reading(
            "known_heads",
            "HTTP requests that took the short way, because their head was known.",
            lambda: request_head_cache.hits,
            counts=True,
        ),
    ]


def _sockets(connections: Connections) -> list[Reading]:
    return [
        Reading("sockets", "Open sockets.", lambda: len(connections)),
        Reading("socket_operations", "Operations on open sockets.", lambda: connections.operations),
        Reading("sockets_opened", "Sockets that were accepted.", lambda: connections.opened, counts=True),
        Reading(
            "sockets_refused", "Sockets that were refused for lack of room.", lambda: connections.refused, counts=True
        ),
        Reading(
            "sockets_closed",
            "Closed sockets by the code the server closed them with; 0 when the client left.",
            lambda: {(str(int(code or 0)),): number for code, number in connections.closed.items()},
            ("code",),
            counts=True,
        ),
    ]
