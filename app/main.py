"""The ASGI application: routes, middleware, lifespan."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp

from app.config import Settings
from app.context import Context
from app.domain.errors import Unauthenticated
from app.graphql import build_engine, render_error
from app.pubsub.channels.events import Notice, SocketClosed
from app.runtime import Runtime
from app.services.limits.socket_registry import RedisSocketRegistry
from app.telemetry.reporting import open_tracer
from app.transport.admission import Admission
from app.transport.contexts import Contexts
from app.transport.http.endpoint import GraphQLEndpoint
from app.transport.http.response_cache import ResponseCache
from app.transport.http.streams import Streams, always
from app.transport.middleware.client_address import TrustedProxies
from app.transport.middleware.cors import allow_origins
from app.transport.middleware.origins import AllowedHosts, Origins
from app.transport.middleware.request_ids import RequestIds
from app.transport.middleware.security_headers import SecurityHeaders
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.persisted_documents.resolve import Documents
from app.transport.persisted_documents.store import RecentDocuments, RedisDocuments
from app.transport.persisted_documents.trusted import load_manifest
from app.transport.routes import demo, health, pages
from app.transport.routes import metrics as monitoring
from app.transport.server.head_cache import RequestHeadCache
from app.transport.server.http_protocol import REQUEST_HEAD_CACHE
from app.transport.sockets.connections import Connections, SocketLimits
from app.transport.sockets.dependencies import SocketDependencies
from app.transport.sockets.endpoint import SocketEndpoint
from app.wiring import App, open_app

log = structlog.get_logger(__name__)

LOGGED = 2000
"""The most characters of a document that are logged."""

PROBES = ("/livez", "/readyz", "/metrics")


def create_app(settings: Settings) -> ASGIApp:
    """The service. Nothing is opened before the server starts its lifespan."""

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[dict[str, object]]:
        async with open_app(settings) as app:
            connections = _connections(app)
            router.routes.extend(_routes(app, connections, request_head_cache))
            state = {"app": app, "stop": lambda: _stop(app, connections)}
            # A trace begins with the head: whoever wants traces has every request go the long way.
            yield state if endpoint else state | {REQUEST_HEAD_CACHE: request_head_cache}

    router = Router(lifespan=lifespan)
    crossable = allow_origins(router, settings.allowed_origins) if settings.allowed_origins else router
    secured = SecurityHeaders(crossable, https_only=settings.is_production)
    hosted = AllowedHosts(secured, settings.allowed_hosts, exempt=PROBES)
    endpoint = settings.otel_exporter_otlp_endpoint
    named = RequestIds(hosted, new_id, open_tracer(endpoint) if endpoint else None)
    request_head_cache = RequestHeadCache(named, new_id)
    return request_head_cache


async def _stop(app: App, connections: Connections) -> None:
    """Before the server waits for open connections: not ready any more, streams end, sockets get 1012."""
    app.stopping.set()
    # Sockets first: a subscription that is completed before its socket closes would not be taken up again.
    await connections.stop()
    app.hub.close()


def _connections(app: App) -> Connections:
    settings = app.settings
    registry = RedisSocketRegistry(
        app.redis,
        app.redis_caller,
        app.notices,
        Runtime(app.clock),
        prefix=settings.redis_prefix,
        max_sockets=settings.ws_max_connections_per_user,
    )
    limits = SocketLimits(
        sockets=settings.ws_max_connections,
        operations=settings.ws_max_operations,
        init_timeout=settings.ws_init_timeout,
        idle_timeout=settings.ws_idle_timeout,
        ping_interval=settings.ws_heartbeat_interval,
    )
    connections = Connections(limits, registry, instance=secrets.token_hex(4), clock=time.time)

    def hear(notice: Notice) -> None:
        if isinstance(notice, SocketClosed):
            connections.close(notice.socket_id)

    app.notices.listen(hear)
    return connections


def new_id() -> str:
    """A name for a request: unlike all others, and no secret."""
    return f"{random.getrandbits(64):016x}"


def _routes(app: App, connections: Connections, request_head_cache: RequestHeadCache) -> list[BaseRoute]:
    settings = app.settings
    engine = build_engine(introspection=not settings.is_production, compile=settings.compile_operations)
    contexts = Contexts(app, TrustedProxies.of(settings.trusted_proxies), new_id)
    shared = SubscriptionMultiplexer(engine, contexts.public)
    documents = _documents(app)
    admit = Admission(app.rate_limiter, anonymous_subscriptions=settings.anonymous_subscriptions)
    streams: Streams[Context] = Streams(engine, shared, app.stopping, render_error=render_error, validity=until_invalid)
    response_cache = (
        ResponseCache(contexts.public, settings.response_cache_bytes) if settings.response_cache_bytes else None
    )
    http = GraphQLEndpoint(
        engine,
        contexts,
        documents,
        streams,
        admit=admit,
        render_error=render_error,
        response_cache=response_cache,
        longest_body=settings.max_body_size,
        execution_timeout=settings.request_timeout,
    )
    request_head_cache.open(http, contexts)
    sockets = SocketEndpoint(
        SocketDependencies(engine, shared, contexts, admit, connections, documents),
        allowed=Origins(settings.allowed_origins).allows,
    )
    return [
        Route("/graphql", http),
        WebSocketRoute("/graphql", sockets),
        *health.routes(app),
        monitoring.route(app, engine, shared, streams, connections, response_cache, request_head_cache),
        *pages.routes(settings.is_production),
        *demo.routes(settings),
    ]


def _documents(app: App) -> Documents:
    settings = app.settings
    manifest = settings.trusted_documents_file
    return Documents(
        store=RecentDocuments(RedisDocuments(app.redis, prefix=settings.redis_prefix)),
        trusted=load_manifest(Path(manifest)) if manifest else None,
        mode=settings.trusted_documents_mode,
        on_untrusted=lambda document: log.warning("untrusted_document", document=document[:LOGGED]),
    )


async def until_invalid(context: Context) -> Unauthenticated:
    """Wait until the caller's access token is no longer good. Returns why; never returns without a token."""
    if context.caller is None:
        return await always(context)
    key, withdrawn = context.caller.signing_key, asyncio.Event()
    key.listen(withdrawn.set)
    try:
        async with asyncio.timeout(context.caller.expires_at - time.time() if key.is_trusted else 0):
            await withdrawn.wait()
    except TimeoutError:
        return Unauthenticated(expired=key.is_trusted)
    finally:
        key.unlisten(withdrawn.set)
    return Unauthenticated()
