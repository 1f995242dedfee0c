"""The metrics of the service, as it registers them, without any store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from app.config import load_settings
from app.runtime import Runtime
from app.serving import build_serving
from app.telemetry.metrics.registry import Metric
from app.telemetry.requests import RefusalLog
from app.transport.server.head_cache import RequestHeadCache
from app.wiring.build import build_app

UNUSED = "127.0.0.1:1"
"""Clients connect when they are used, and nothing is used here."""


def registered_metrics() -> Sequence[Metric]:
    """Return the metrics in the order in which they are registered."""
    return asyncio.run(_build())


async def _build() -> Sequence[Metric]:
    settings = load_settings(
        _env_file=None, database_url=f"postgresql://nobody@{UNUSED}/none", redis_url=f"redis://{UNUSED}/0"
    )
    async with AsyncExitStack() as stack:
        runtime = Runtime()
        app = await build_app(settings, runtime, stack)

        async def nothing(*_: object) -> None: ...

        return build_serving(app, RequestHeadCache(nothing, str), str, RefusalLog(runtime, ())).metrics.registry.metrics
