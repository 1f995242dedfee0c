"""The ASGI application: routes, middleware, lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.routing import Router
from starlette.types import ASGIApp

from app.config import Settings
from app.error_codes import SECURITY_EVENTS
from app.runtime import Runtime
from app.serving import build_serving
from app.telemetry.metrics.workers import Worker
from app.telemetry.reporting import open_tracer
from app.telemetry.requests import RefusalLog
from app.transport.middleware.client_address import TrustedProxies
from app.transport.middleware.cors import allow_origins
from app.transport.middleware.origins import AllowedHosts, Origins
from app.transport.middleware.refused_origins import RefusedOrigins
from app.transport.middleware.refused_paths import RefusedPaths
from app.transport.middleware.request_ids import RequestIds
from app.transport.middleware.security_headers import SecurityHeaders
from app.transport.server.head_cache import RequestHeadCache
from app.transport.server.http_protocol import REFUSAL_LOG, REQUEST_HEAD_CACHE
from app.wiring import open_app

PROBES = ("/livez", "/readyz", "/metrics")
"""Paths that are answered whatever the `Host` header says: probes address instances by IP."""


def create_app(settings: Settings, runtime: Runtime | None = None, worker: Worker | None = None) -> ASGIApp:
    """Create the ASGI application. Nothing is opened before the server starts its lifespan.

    Args:
        settings: The settings of the installation.
        runtime: The sources of time and randomness; the real ones by default.
        worker: Which of several workers this process is; None if it is the only one.
    """
    runtime = runtime or Runtime()

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[dict[str, object]]:
        async with open_app(settings, runtime) as app:
            serving = build_serving(app, request_head_cache, new_request_id, refusal_log, tracer, worker)
            router.routes.extend(serving.routes)
            state: dict[str, object] = {"app": app, "stop": serving.stop, REFUSAL_LOG: refusal_log}
            uses_cache = settings.request_head_cache and request_head_cache.is_usable
            try:
                async with serving.metrics.shared():
                    yield state | {REQUEST_HEAD_CACHE: request_head_cache} if uses_cache else state
            finally:
                if tracer is not None:
                    await tracer.close()

    def new_request_id() -> str:
        return f"{runtime.random.getrandbits(64):016x}"

    refusal_log = RefusalLog(runtime, SECURITY_EVENTS)
    endpoint = settings.otel_exporter_otlp_endpoint
    tracer = open_tracer(endpoint, settings.environment.value) if endpoint else None
    # A redirect would need the scheme and host that the client used, which only its proxies know.
    router = Router(lifespan=lifespan, redirect_slashes=False)
    with_cors = allow_origins(router, settings.allowed_origins) if settings.allowed_origins else router
    with_refused_origins = RefusedOrigins(with_cors, Origins(settings.allowed_origins), runtime)
    with_security_headers = SecurityHeaders(with_refused_origins, https_only=settings.is_production)
    with_allowed_hosts = AllowedHosts(with_security_headers, settings.allowed_hosts, runtime, exempt=PROBES)
    proxies = TrustedProxies.of(settings.trusted_proxies)
    with_refusals = RefusedPaths(with_allowed_hosts, proxies, exempt=("/graphql",))
    with_request_ids = RequestIds(with_refusals, new_request_id, refusal_log, tracer)
    request_head_cache = RequestHeadCache(with_request_ids, new_request_id, tracer)
    return request_head_cache
