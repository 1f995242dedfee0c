"""Health probes for orchestrators and load balancers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
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
from app.stores.single_flight import SingleFlight
from app.wiring import App

log = structlog.get_logger(__name__)

CHECK_TIMEOUT = 2.0
"""Seconds within which each check must pass."""

CHECK_INTERVAL = 1.0
"""Seconds for which the result of the checks is used for all probes."""

BUSY_SECONDS = 10.0
"""For so long after the last check that PostgreSQL passed, a failed one is taken for a sign of load, while its circuit
breaker is closed: an instance that is only busy must not be taken out, because the others would get its load."""


class ReadOnly(Exception):
    """PostgreSQL does not accept writes."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The result of the checks.

    Attributes:
        checks: Whether each check passed.
        writable: Whether PostgreSQL can be used, so that this instance can serve requests.
        reason: Why not, for people; None if it can.
    """

    checks: Mapping[str, bool]
    writable: bool
    reason: str | None = None


class ReadinessChecks:
    """Checks the stores: once a second at most, however many probes ask."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._shared: SingleFlight[Readiness] = SingleFlight(CHECK_INTERVAL, app.runtime)
        self._passed_at = -math.inf
        self._is_read_only = False
        self.runs = 0
        """How often the stores were checked."""

    async def __call__(self) -> Readiness:
        """Return the result of the checks, at most `CHECK_INTERVAL` seconds old."""
        return await self._shared.get("readiness", self._check)

    async def _check(self) -> Readiness:
        self.runs += 1
        self._is_read_only = False
        names = ("postgres", "redis", "messages", "boards")
        checks = map(_passes, (self._postgres(), _redis(self._app), _messages(self._app), _boards(self._app)))
        results = dict(zip(names, await asyncio.gather(*checks), strict=True))
        now = self._app.runtime.monotonic()
        if results["postgres"]:
            self._passed_at = now
        is_busy = not self._app.database.breaker.is_open and now - self._passed_at < BUSY_SECONDS
        if self._is_read_only:
            return Readiness(results, writable=False, reason="PostgreSQL is read-only: nothing can be submitted.")
        if not results["postgres"] and not is_busy:
            return Readiness(results, writable=False, reason="PostgreSQL does not answer.")
        return Readiness(results, writable=True)

    async def _postgres(self) -> None:
        async with self._app.database.connect() as connection:
            self._is_read_only = (
                await connection.scalar(text("SELECT current_setting('transaction_read_only')")) == "on"
            )
        if self._is_read_only:
            log.warning("postgres_read_only")
            raise ReadOnly


def routes(app: App) -> list[Route]:
    """Return the routes `/livez`, which checks nothing else, and `/readyz`, which checks the stores."""
    check = ReadinessChecks(app)

    async def livez(_: Request) -> Response:
        return _json({"status": "ok"})

    async def readyz(_: Request) -> Response:
        readiness = await check()
        work = {one.name: {"running": one.running, "failures": one.failures} for one in app.supervisor.works}
        # Without Redis the service is degraded but ready: PostgreSQL can answer everything.
        stopping = app.stopping.is_set()
        ready = readiness.writable and not stopping
        degraded = not all(readiness.checks.values())
        status = "stopping" if stopping else "unavailable" if not ready else "degraded" if degraded else "ok"
        reason = {"reason": readiness.reason} if readiness.reason else {}
        return _json({"status": status, **reason, "checks": readiness.checks, "work": work}, 200 if ready else 503)

    return [Route("/livez", livez), Route("/readyz", readyz)]


async def _redis(app: App) -> None:
    try:
        await require_supported_version(app.redis)
    except UnsupportedRedis as error:
        log.warning("unsupported_redis", reason=str(error))
        raise


async def _messages(app: App) -> None:
    """Check that a message published through Redis reaches this process."""
    await app.notices.probe(app.runtime.random_bytes(8).hex(), CHECK_TIMEOUT)


async def _boards(app: App) -> None:
    """Check that Redis accepts writes, and lacks nothing that was committed."""
    if app.redis_caller.refuses_writes or app.missed_writes.incomplete:
        raise ServiceUnavailable


async def _passes(check: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await check
    except (ServiceUnavailable, ReadOnly, *OUTAGES):
        return False
    return True


def _json(content: dict[str, Any], status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
