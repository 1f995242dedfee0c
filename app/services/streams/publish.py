"""The job that publishes events to streams."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from app.domain.errors import ServiceUnavailable
from app.models.statements.events.consumers import add_consumer, advance_consumer, position_of
from app.models.statements.events.recorded_events import read_events
from app.services.streams.stream import EventStream, StreamUnavailable
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

BATCH_SIZE = 200
"""Events that are published before the position is stored."""

MAX_BATCHES = 50
"""Batches of one run; the next run continues."""


class PublishEvents:
    """Publishes all events to all streams, in the order of their positions, at least once.

    A new stream begins with the events that are recorded from then on.
    """

    def __init__(self, database: Database, streams: Sequence[EventStream]) -> None:
        self._database = database
        self._streams = streams

    async def __call__(self) -> int:
        """Publish what is not published yet, and return how many events.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used, or a stream has not taken its events; the others have.
        """
        if not self._streams:
            return 0
        outcomes = await asyncio.gather(*map(self._publish, self._streams), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in failures:
            raise failure
        return sum(outcome for outcome in outcomes if isinstance(outcome, int))

    async def _publish(self, stream: EventStream) -> int:
        count = 0
        position = await self._position(stream.name)
        for _ in range(MAX_BATCHES):
            async with self._database.connect() as connection:
                events = await read_events(connection, position, BATCH_SIZE)
            if not events:
                break
            if lost := events[0].position - position - 1:
                log.error("events_lost", stream=stream.name, count=lost, reason="older than EVENT_RETENTION_DAYS")
            try:
                await stream.publish(events)
            except StreamUnavailable as error:
                log.warning("events_not_published", stream=stream.name, reason=str(error))
                raise ServiceUnavailable from error
            position = events[-1].position
            async with self._database.begin() as connection:
                await advance_consumer(connection, stream.name, position)
            count += len(events)
        return count

    async def _position(self, name: str) -> int:
        async with self._database.connect() as connection:
            position = await position_of(connection, name)
        if position is not None:
            return position
        async with self._database.begin() as connection:
            await add_consumer(connection, name)
            found = await position_of(connection, name)
        assert found is not None
        return found
