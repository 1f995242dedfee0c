"""Health probes for orchestrators and load balancers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import orjson
import structlog
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.channel_connection import OUTAGES
from app.stores.redis_version import UnsupportedRedis, require_supported_version
from app.wiring import App

log = structlog.get_logger(__name__)

CHECK_TIMEOUT = 2.0
"""Seconds within which each check must pass."""


def routes(app: App) -> list[Route]:
    """Return the routes `/livez`, which checks nothing else, and `/readyz`, which checks the stores."""

    async def livez(_: Request) -> Response:
        return _json({"status": "ok"})

    async def readyz(_: Request) -> Response:
        names = ("postgres", "redis", "canary", "boards")
        checks = (_postgres(app), _redis(app), _canary(app), _boards(app))
        results = dict(zip(names, await asyncio.gather(*map(_passes, checks)), strict=True))
        work = {one.name: {"running": one.running, "failures": one.failures} for one in app.supervisor.works}
        # Without Redis the service is degraded but ready: PostgreSQL can answer everything.
        ready = results["postgres"] and not app.stopping.is_set()
        degraded = ready and not all(results.values())
        status = "stopping" if app.stopping.is_set() else "degraded" if degraded else "ok" if ready else "unavailable"
        return _json({"status": status, "checks": results, "work": work}, 200 if ready else 503)

    return [Route("/livez", livez), Route("/readyz", readyz)]


async def _postgres(app: App) -> None:
    async with app.database.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def _redis(app: App) -> None:
    try:
        await require_supported_version(app.redis)
    except UnsupportedRedis as error:
        log.warning("unsupported_redis", reason=str(error))
        raise


async def _canary(app: App) -> None:
    """Check that a message published through Redis reaches this process."""
    await app.notices.canary(app.runtime.random_bytes(8).hex(), CHECK_TIMEOUT)


async def _boards(app: App) -> None:
    """Check that Redis accepts writes, and lacks nothing that was committed."""
    if app.redis_caller.refuses_writes or app.missed_writes.incomplete:
        raise ServiceUnavailable


async def _passes(check: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await check
    except (ServiceUnavailable, *OUTAGES):
        return False
    return True


def _json(content: dict[str, Any], status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
