"""The job that delivers events to all endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from app.domain.errors import ServiceUnavailable
from app.models.statements.events.endpoints import endpoints_with_work
from app.runtime import Runtime
from app.services.webhooks.deliver import EndpointDelivery
from app.stores.postgres import Database
from app.telemetry.supervision import end

log = structlog.get_logger(__name__)

RUN_SECONDS = 120.0
"""How long a run of the job goes on, while there is something to deliver or not."""

POLL_INTERVAL = 0.5
"""Seconds between two looks for something to deliver."""


class DeliverWebhooks:
    """Delivers to all endpoints at the same time, so that none waits for another that is slow or fails."""

    def __init__(self, database: Database, delivery: EndpointDelivery, runtime: Runtime) -> None:
        self._database = database
        self._delivery = delivery
        self._runtime = runtime

    async def __call__(self) -> None:
        """Deliver whatever is due, now and for the next two minutes.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        until = self._runtime.monotonic() + RUN_SECONDS

        def may_go_on() -> bool:
            return self._runtime.monotonic() < until

        tasks: dict[UUID, asyncio.Task[None]] = {}
        try:
            while may_go_on():
                for endpoint_id in await self._with_work():
                    if endpoint_id not in tasks or tasks[endpoint_id].done():
                        tasks[endpoint_id] = asyncio.create_task(self._drain(endpoint_id, may_go_on))
                await asyncio.sleep(POLL_INTERVAL)
            await asyncio.gather(*tasks.values())
        finally:
            await end(list(tasks.values()))

    async def deliver_due(self) -> None:
        """Deliver what is due now, and return. Raises ServiceUnavailable."""
        for endpoint_id in await self._with_work():
            await self._delivery.drain(endpoint_id)

    async def _with_work(self) -> list[UUID]:
        async with self._database.connect() as connection:
            return await endpoints_with_work(connection, self._runtime.clock())

    async def _drain(self, endpoint_id: UUID, may_go_on: Callable[[], bool]) -> None:
        """Deliver to one endpoint. A failure is logged: the other endpoints go on, and the next look tries again."""
        try:
            await self._delivery.drain(endpoint_id, may_go_on)
        except ServiceUnavailable as error:
            log.warning("deliveries_postponed", endpoint=str(endpoint_id), reason=type(error).__name__)
        except Exception:
            log.exception("deliveries_failed", endpoint=str(endpoint_id))
