"""What a stream must do, whatever server it is on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.domain.events.event import RecordedEvent


class StreamUnavailable(Exception):
    """The server of a stream did not confirm all events of a batch. It may have taken some."""


class EventStream(Protocol):
    """A stream that events are published to, in order."""

    name: str
    """Identifies the stream; its position is stored under this name."""

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        """Publish events in this order. When it returns, the server has confirmed all of them.

        Raises:
            StreamUnavailable: Not all were confirmed. They will be published again, with the same ids.
        """

    async def aclose(self) -> None:
        """Close the connections."""
