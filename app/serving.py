"""Everything that serves requests: built from the open services, above all layers that it puts together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.context import Context
from app.graphql import ErrorRenderer, activities_of, build_engine, build_schema, code_of
from app.pubsub.channels.events import Notice, SocketClosed
from app.services.limits.sockets_per_user import RedisSocketRegistry
from app.telemetry.metrics.workers import Worker
from app.telemetry.requests import RefusalLog
from app.telemetry.tracing import Tracer
from app.transport.admission import Admission, LookupLimits, RunningSlots
from app.transport.contexts import Contexts
from app.transport.http.endpoint import GraphQLEndpoint
from app.transport.http.response_cache import ResponseCache
from app.transport.http.streams import Streams
from app.transport.middleware.client_address import TrustedProxies
from app.transport.middleware.origins import Origins
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.operation_metrics import OperationMetrics
from app.transport.operations import Operations
from app.transport.persisted_documents.resolve import Documents
from app.transport.persisted_documents.store import RecentDocuments, RedisDocuments
from app.transport.persisted_documents.trusted import TrustedDocuments, load_manifest
from app.transport.routes import demo, health, pages
from app.transport.routes.metrics.route import MetricsPage
from app.transport.routes.metrics.sources import Sources
from app.transport.server.head_cache import RequestHeadCache
from app.transport.sockets.connections import Connections, SocketLimits
from app.transport.sockets.dependencies import SocketDependencies
from app.transport.sockets.endpoint import SocketEndpoint
from app.transport.token_validity import until_invalid
from app.wiring import App

log = structlog.get_logger(__name__)

GRAPHQL_PATHS = ("/graphql", "/graphql/")

MAX_LOGGED_DOCUMENT = 2000
"""Characters of an untrusted document that are logged."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The routes of the open application, and its sockets."""

    app: App
    connections: Connections
    metrics: MetricsPage
    routes: list[BaseRoute]

    async def stop(self) -> None:
        """Report not ready, close sockets with 1012 and end streams, before the server waits for open connections."""
        self.app.stopping.set()
        # Sockets first: a client does not repeat a subscription that was completed before its socket closed.
        await self.connections.stop()
        self.app.hub.close()


def build_serving(
    app: App,
    request_head_cache: RequestHeadCache,
    new_request_id: Callable[[], str],
    refusal_log: RefusalLog,
    tracer: Tracer | None = None,
    worker: Worker | None = None,
) -> Serving:
    """Build every endpoint on the open services of `app`.

    Args:
        app: The open application.
        request_head_cache: Answers requests with known heads through the HTTP endpoint that is built here.
        new_request_id: Returns an id for a request that brings none.
        refusal_log: Where refusals are logged.
        tracer: Traces the operations of sockets; None for no traces.
        worker: Which of several workers this process is; None if it is the only one.
    """
    settings = app.settings
    schema = build_schema()
    errors = ErrorRenderer(shows_details=not settings.is_production)
    engine = build_engine(
        schema, introspection=not settings.is_production, compile=settings.compile_operations, errors=errors
    )
    contexts = Contexts(app, TrustedProxies.of(settings.trusted_proxies), new_request_id, refusal_log)
    multiplexer = SubscriptionMultiplexer(engine, contexts.shared, clock=lambda: app.clock().timestamp())
    trusted = _trusted_documents(app)
    measured = OperationMetrics(
        code_of, is_known=trusted.approves, refusal_of=lambda context: context.refusal and context.refusal.value
    )
    admission = Admission(
        app.rate_limiter,
        activities_of(schema),
        LookupLimits(settings.max_lookups_per_operation, settings.max_lookups_per_change),
        anonymous_subscriptions=settings.anonymous_subscriptions,
    )
    operations = Operations(
        engine,
        _documents(app, trusted),
        admission,
        execution_timeout=settings.request_timeout,
        describe=None if settings.is_production else admission.describe,
        slots=RunningSlots(app.running_operations),
    )
    streams: Streams[Context] = Streams(
        engine,
        multiplexer,
        app.stopping,
        render_error=errors.render,
        validity=until_invalid,
        owner_of=lambda context: context.owner,
        max_streams=settings.max_streams,
        max_streams_per_address=settings.max_streams_per_address,
    )
    response_cache = (
        ResponseCache(contexts.public, settings.response_cache_bytes) if settings.response_cache_bytes else None
    )
    http = GraphQLEndpoint(
        operations,
        contexts,
        streams,
        render_error=errors.render,
        response_cache=response_cache,
        metrics=measured,
        max_body_bytes=settings.max_body_size,
        ide_path=None if settings.is_production else "/graphiql",
    )
    request_head_cache.open(http, contexts)
    connections = _connections(app, refusal_log)
    sockets = SocketEndpoint(
        SocketDependencies(operations, multiplexer, contexts, connections, measured, tracer),
        allowed=Origins(settings.allowed_origins).allows,
    )
    metrics = MetricsPage(
        Sources(app, engine, measured, multiplexer, streams, connections, http, response_cache, request_head_cache),
        worker,
    )
    return Serving(
        app,
        connections,
        metrics,
        [
            *(Route(path, http) for path in GRAPHQL_PATHS),
            *(WebSocketRoute(path, sockets) for path in GRAPHQL_PATHS),
            *health.routes(app),
            metrics.route,
            *pages.routes(settings.is_production),
            *demo.routes(settings, app.clock),
        ],
    )


def _connections(app: App, refusal_log: RefusalLog) -> Connections:
    settings = app.settings
    registry = RedisSocketRegistry(
        app.redis,
        app.redis_caller,
        app.notices,
        app.runtime,
        prefix=settings.redis_prefix,
        max_sockets=settings.ws_max_connections_per_user,
    )
    limits = SocketLimits(
        max_sockets=settings.ws_max_connections,
        max_sockets_per_address=settings.ws_max_connections_per_address,
        max_operations=settings.ws_max_operations,
        init_timeout=settings.ws_init_timeout,
        idle_timeout=settings.ws_idle_timeout,
        ping_interval=settings.ws_heartbeat_interval,
    )
    connections = Connections(
        limits,
        registry,
        instance=app.runtime.random_bytes(4).hex(),
        clock=lambda: app.clock().timestamp(),
        refusal_log=refusal_log,
    )

    def close_socket(notice: Notice) -> None:
        if isinstance(notice, SocketClosed):
            connections.close(notice.socket_id)

    app.notices.listen(close_socket)
    return connections


def _trusted_documents(app: App) -> TrustedDocuments:
    manifest = app.settings.trusted_documents_file
    return load_manifest(Path(manifest)) if manifest else TrustedDocuments()


def _documents(app: App, trusted: TrustedDocuments) -> Documents:
    settings = app.settings
    return Documents(
        store=RecentDocuments(
            RedisDocuments(app.redis, prefix=settings.redis_prefix, max_bytes=settings.persisted_documents_max_bytes)
        ),
        trusted=trusted,
        mode=settings.trusted_documents_mode,
        on_untrusted=lambda document: log.warning("untrusted_document", document=document[:MAX_LOGGED_DOCUMENT]),
    )
