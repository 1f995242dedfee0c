"""The route `/metrics`."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.telemetry.metrics.registry import CONTENT_TYPE, MetricsRegistry, render
from app.telemetry.metrics.workers import Worker
from app.transport.routes.metrics.background import background_metrics
from app.transport.routes.metrics.events import event_metrics
from app.transport.routes.metrics.live import live_metrics
from app.transport.routes.metrics.requests import request_metrics
from app.transport.routes.metrics.sources import Sources
from app.transport.routes.metrics.stores import store_metrics
from app.transport.routes.metrics.submissions import submission_metrics

REFUSED = "The metrics need the header `Authorization: Bearer` with the value of METRICS_TOKEN.\n"


def registry_of(sources: Sources) -> MetricsRegistry:
    """Return the registry of all metrics."""
    return MetricsRegistry(
        [
            *request_metrics(sources),
            *submission_metrics(sources.app),
            *live_metrics(sources),
            *store_metrics(sources.app),
            *event_metrics(sources.app),
            *background_metrics(sources.app),
        ]
    )


class MetricsPage:
    """Answers scrapes, for this process alone or for all workers of which it is one."""

    def __init__(self, sources: Sources, worker: Worker | None) -> None:
        """Create the page.

        Args:
            sources: What metrics are read from.
            worker: Which of several workers this process is; None if it is the only one.
        """
        self.registry = registry_of(sources)
        token = sources.app.settings.metrics_token
        self._authorization = None if token is None else f"Bearer {token.get_secret_value()}".encode()
        self._worker = worker

    @property
    def route(self) -> Route:
        """The route, in the text format of Prometheus."""
        return Route("/metrics", self._answer)

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Answer the other workers until the block ends."""
        if self._worker is None:
            yield
            return
        async with self._worker.answering(self.registry.families):
            yield

    async def _answer(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if self._authorization is not None and not hmac.compare_digest(given, self._authorization):
            return PlainTextResponse(REFUSED, 401, {"www-authenticate": "Bearer", "cache-control": "no-store"})
        families = self.registry.families()
        page = render(families) if self._worker is None else await self._worker.merged(families)
        return Response(page, headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})
