"""Deliver events to one endpoint: those behind its position, and those whose delivery has failed before."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import structlog

from app.domain.events.delivery import Delivery
from app.domain.events.endpoint import (
    FAILURES_BEFORE_PAUSE,
    GIVE_UP_AFTER,
    Endpoint,
    pause_after,
    retry_delay,
)
from app.domain.events.event import RecordedEvent
from app.models.statements.events.deliveries import (
    count_waiting,
    finish_deliveries,
    read_due,
    store_deliveries,
    waiting_subjects,
)
from app.models.statements.events.endpoints import advance, find_endpoint
from app.models.statements.events.recorded_events import read_events
from app.runtime import Runtime
from app.services.webhooks.send import EndpointClient
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

BATCH_SIZE = 100
"""Events that are read at a time."""

MAX_CONCURRENT = 8
"""Requests to one endpoint at a time, each about another subject."""

MAX_WAITING = 10_000
"""Deliveries of one endpoint that wait for another attempt; with more of them, no further events are read for it."""

GONE = "the receiver answered 410 Gone"
FAILED_TOO_LONG = "all deliveries have failed for three days"


@dataclass(slots=True)
class Step:
    """What one step has done, before it is stored."""

    delivered: list[Delivery] = field(default_factory=list)
    failed: list[Delivery] = field(default_factory=list)
    untried: list[Delivery] = field(default_factory=list)
    """Those that wait behind a failed one, or for the end of the pause."""
    is_gone: bool = False


class EndpointDelivery:
    """Delivers to one endpoint, step by step. One process at a time does.

    Guarantees: an event is delivered, kept for another attempt, or known as a dead letter, before the position passes
    it. Events of one subject are sent one after the other, and no later one before an earlier one was taken or given
    up. If the process ends between a request and its commit, the request is repeated with the same id and body.
    """

    def __init__(
        self,
        database: Database,
        open_client: Callable[[Endpoint], EndpointClient],
        source: str,
        attempts: Counter[tuple[str, str]],
        runtime: Runtime,
    ) -> None:
        """Create the service.

        Args:
            database: Where events and endpoints are.
            open_client: Makes the client for an endpoint.
            source: The attribute `source` of all events.
            attempts: Counts attempts by endpoint and outcome.
            runtime: The sources of time and jitter.
        """
        self._database = database
        self._open_client = open_client
        self._source = source
        self._attempts = attempts
        self._runtime = runtime

    async def drain(self, endpoint_id: UUID, may_go_on: Callable[[], bool] = lambda: True) -> None:
        """Deliver until nothing is due, or `may_go_on` returns False.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used, or this process is no longer the leader.
        """
        client: EndpointClient | None = None
        opened: tuple[object, ...] = ()
        try:
            while may_go_on():
                endpoint = await self._find(endpoint_id)
                if endpoint is None or not self._may_try(endpoint):
                    return
                if client is None or opened != (endpoint.url, endpoint.secrets):
                    if client is not None:
                        await client.aclose()
                    client, opened = self._open_client(endpoint), (endpoint.url, endpoint.secrets)
                if not await self._step(endpoint, client):
                    return
        finally:
            if client is not None:
                await client.aclose()

    async def _find(self, endpoint_id: UUID) -> Endpoint | None:
        async with self._database.connect() as connection:
            return await find_endpoint(connection, endpoint_id, self._runtime.clock())

    def _may_try(self, endpoint: Endpoint) -> bool:
        is_paused = endpoint.paused_until is not None and endpoint.paused_until > self._runtime.clock()
        return endpoint.disabled_at is None and not is_paused

    async def _step(self, endpoint: Endpoint, client: EndpointClient) -> bool:
        """Make one batch of attempts and store what came of it; return whether there may be more to do."""
        now = self._runtime.clock()
        # An endpoint that is probed gets one old and one new delivery: either may fail for a reason of its own.
        subjects, limit = (1, 1) if endpoint.is_probed else (MAX_CONCURRENT, BATCH_SIZE)
        async with self._database.connect() as connection:
            due = await read_due(connection, endpoint.id, now, subjects, limit)
            has_room = await count_waiting(connection, endpoint.id) < MAX_WAITING
            events = await read_events(connection, endpoint.position, limit) if has_room else []
            wanted = [event for event in events if endpoint.accepts(event)]
            blocked = await waiting_subjects(connection, endpoint.id, {event.subject for event in wanted})
        if not due and not events:
            return False
        step = Step()
        new = [self._delivery(event) for event in wanted]
        step.untried += [one for one in new if one.subject in blocked]
        ready = [one for one in new if one.subject not in blocked]
        await self._send_all(endpoint, client, [*due, *ready], step)
        return await self._store(endpoint, step, events, {one.position for one in due})

    async def _send_all(
        self, endpoint: Endpoint, client: EndpointClient, deliveries: Sequence[Delivery], step: Step
    ) -> None:
        by_subject: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            by_subject.setdefault(delivery.subject, []).append(delivery)
        free = asyncio.Semaphore(MAX_CONCURRENT)

        async def send_in_order(ordered: Sequence[Delivery]) -> None:
            for number, delivery in enumerate(ordered):
                async with free:
                    fails_on = not step.delivered and len(step.failed) + endpoint.failures >= FAILURES_BEFORE_PAUSE
                    if step.is_gone or (fails_on and not endpoint.is_probed):
                        step.untried += ordered[number:]
                        return
                    attempt = await client.send(str(delivery.event_id), delivery.envelope)
                self._attempts[str(endpoint.id), "succeeded" if attempt.error is None else "failed"] += 1
                if attempt.error is not None:
                    step.is_gone |= attempt.is_gone
                    step.failed.append(self._after_failure(delivery, attempt.error, endpoint))
                    step.untried += ordered[number + 1 :]
                    return
                step.delivered.append(delivery)

        async with asyncio.TaskGroup() as group:
            for ordered in by_subject.values():
                group.create_task(send_in_order(ordered))

    async def _store(self, endpoint: Endpoint, step: Step, events: Sequence[RecordedEvent], were_due: set[int]) -> bool:
        """Store what a step has done; return whether there may be more to do."""
        now = self._runtime.clock()
        after = self._after_step(endpoint, step, now)
        lost = 0
        if events:
            lost = events[0].position - endpoint.position - 1
            after = replace(after, position=events[-1].position)
        failed_subjects = {one.subject for one in step.failed if one.dead_at is None}
        sent_subjects = {one.subject for one in (*step.delivered, *step.failed, *step.untried)}
        untried = [one for one in step.untried if one.position not in were_due or one.subject in failed_subjects]
        async with self._database.begin() as connection:
            if not await advance(connection, endpoint.position, after, lost):
                return True
            await store_deliveries(connection, endpoint.id, [*step.failed, *untried])
            done = [one.position for one in step.delivered if one.position in were_due]
            await finish_deliveries(connection, endpoint.id, done, sent_subjects - failed_subjects, now)
        if lost:
            log.error("events_lost", endpoint=str(endpoint.id), count=lost, reason="older than EVENT_RETENTION_DAYS")
        self._log_change(endpoint, after, step)
        return after.disabled_at is None and after.paused_until is None

    def _after_step(self, endpoint: Endpoint, step: Step, now: datetime) -> Endpoint:
        """Return the state of the endpoint after a step: a success ends every pause."""
        if step.is_gone:
            return replace(endpoint, disabled_at=now, disabled_reason=GONE, last_error=step.failed[-1].last_error)
        if step.delivered:
            error = step.failed[-1].last_error if step.failed else endpoint.last_error
            return replace(
                endpoint, failures=0, failing_since=None, paused_until=None, last_success_at=now, last_error=error
            )
        if not step.failed:
            return endpoint
        failures, since = endpoint.failures + len(step.failed), endpoint.failing_since or now
        failing = replace(endpoint, failures=failures, failing_since=since, last_error=step.failed[-1].last_error)
        if now - since >= GIVE_UP_AFTER:
            return replace(failing, disabled_at=now, disabled_reason=FAILED_TOO_LONG)
        if failures >= FAILURES_BEFORE_PAUSE:
            return replace(failing, paused_until=now + pause_after(failures, self._runtime.random))
        return failing

    def _after_failure(self, delivery: Delivery, error: str, endpoint: Endpoint) -> Delivery:
        """Return the next state of a delivery.

        It is given up after three days if the endpoint has taken other events meanwhile. If it has taken none, the
        endpoint is disabled instead, and nothing is given up.
        """
        now = self._runtime.clock()
        first, attempts = delivery.first_attempt_at or now, delivery.attempts + 1
        failed = replace(delivery, attempts=attempts, first_attempt_at=first, last_error=error)
        works_otherwise = endpoint.last_success_at is not None and endpoint.last_success_at > first
        if now - first >= GIVE_UP_AFTER and works_otherwise:
            log.error("event_given_up", endpoint=str(endpoint.id), event_id=str(delivery.event_id), error=error)
            return replace(failed, dead_at=now, next_attempt_at=None)
        return replace(failed, next_attempt_at=now + retry_delay(attempts, self._runtime.random))

    def _delivery(self, event: RecordedEvent) -> Delivery:
        return Delivery(event.position, event.id, event.type, event.subject, event.envelope(self._source))

    def _log_change(self, before: Endpoint, after: Endpoint, step: Step) -> None:
        if before.state is after.state:
            return
        log.warning(
            f"event_endpoint_{after.state.value.lower()}",
            endpoint=str(after.id),
            reason=after.disabled_reason or after.last_error,
            failures=after.failures,
            delivered=len(step.delivered),
        )
