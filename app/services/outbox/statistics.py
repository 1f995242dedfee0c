"""What is still to be delivered, measured at intervals for the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from app.domain.events.endpoint import EndpointReport
from app.models.statements.events.committed_events import read_backlog
from app.models.statements.events.consumers import read_consumers
from app.models.statements.events.endpoints import read_reports
from app.models.statements.events.recorded_events import first_position, last_position
from app.runtime import Runtime
from app.stores.postgres import Database


@dataclass(frozen=True, slots=True)
class EventFigures:
    """The state of the outbox.

    Attributes:
        new: Events without a position, counted up to 100 000.
        new_age: Seconds since the oldest of them happened.
        kept: Events that are kept.
        endpoints: The endpoints, with what is still to be delivered.
        streams: Events that are not in a stream yet, by the name of the stream.
    """

    new: int = 0
    new_age: float = 0.0
    kept: int = 0
    endpoints: tuple[EndpointReport, ...] = ()
    streams: dict[str, int] = field(default_factory=dict)


class EventStatistics:
    """Measures the state of the outbox; a job of the leader."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self.figures = EventFigures()
        self._database = database
        self._runtime = runtime

    async def __call__(self) -> None:
        """Measure. Raises ServiceUnavailable."""
        now = self._runtime.clock()
        async with self._database.connect() as connection:
            new, oldest = await read_backlog(connection)
            last, first = await last_position(connection), await first_position(connection)
            reports = await read_reports(connection, now)
            consumers = await read_consumers(connection)
        self.figures = EventFigures(
            new,
            max(timedelta(), now - oldest).total_seconds() if oldest else 0.0,
            0 if first is None else last - first + 1,
            tuple(reports),
            {name: last - position for name, position in consumers.items()},
        )
