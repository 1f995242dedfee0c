"""NATS JetStream: each event is a message under `<prefix>.<type>`, with its id for the detection of duplicates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from app.domain.events.event import RecordedEvent
from app.services.streams.stream import StreamUnavailable

NAME = "nats"

MESSAGE_ID = "Nats-Msg-Id"
"""The header by which JetStream recognises a message that it has taken within its window for duplicates."""


class NatsStream:
    """Publishes to JetStream; needs the extra `nats`. The stream that stores the subjects is the operator's."""

    name = NAME

    def __init__(self, url: str, prefix: str, source: str, *, timeout: float) -> None:
        """Prepare a client, which connects when it publishes.

        Args:
            url: The servers, separated by commas.
            prefix: The beginning of all subjects.
            source: The attribute `source` of all events.
            timeout: Seconds that connecting, and one confirmation, may take.
        """
        self._servers = [server.strip() for server in url.split(",")]
        self._prefix = prefix
        self._source = source
        self._timeout = timeout
        self._client: Any = None

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        """Publish events one after the other, each when the one before is confirmed. Raises StreamUnavailable."""
        from nats.errors import Error as NatsError

        try:
            jetstream = await self._connect()
            for event in events:
                await jetstream.publish(
                    f"{self._prefix}.{event.type}",
                    event.envelope(self._source).encode(),
                    timeout=self._timeout,
                    headers={MESSAGE_ID: str(event.id), "Content-Type": "application/cloudevents+json"},
                )
        except (NatsError, OSError, TimeoutError) as error:
            await self.aclose()
            raise StreamUnavailable(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None and not client.is_closed:
            await client.close()

    async def _connect(self) -> Any:
        import nats

        if self._client is None:
            async with asyncio.timeout(2 * self._timeout):
                self._client = await nats.connect(
                    self._servers,
                    name="leaderboard",
                    connect_timeout=self._timeout,
                    allow_reconnect=False,  # The job tries again.
                    error_cb=_ignore,
                )
        return self._client.jetstream(timeout=self._timeout)


async def _ignore(_: Exception) -> None:
    """Do nothing: what fails is raised by `publish` too."""
