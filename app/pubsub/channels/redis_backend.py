"""A backend of `broadcaster` on Redis that survives every outage of a server, and follows channels within a cluster.

The interface of `Broadcast` stays the same. Differences to its own backend that matter:

- `subscribe` and `unsubscribe` never suspend. They edit a set of wanted channels, so that tasks which open one channel
  at the same time cannot overwrite each other inside `Broadcast.subscribe`.
- One coroutine, `run`, owns the subscribing connections: one per server that has a wanted channel. It reconnects, and
  in a cluster looks for the channels anew after every outage, for as long as it runs.
- Redis does not keep messages that it could not deliver. Whenever messages of a channel may be lost, and once when it
  is opened, its subscribers receive a `Gap` before any message that was published later.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Protocol

import structlog
from broadcaster import BroadcastBackend, Event
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.pubsub.channels.cancellation import obey_cancellation
from app.pubsub.channels.channel_connection import OUTAGES, ChannelConnection, ConnectionTiming, Gap
from app.runtime import Runtime, is_closed_transport

log = structlog.get_logger(__name__)


class ChannelServers(Protocol):
    """The servers of Redis that channels are on: always the same one, or in a cluster the node of each one's slot."""

    async def refresh(self) -> None:
        """Find out again which server has which channel. Raises one of `OUTAGES`."""

    def server_of(self, channel: str) -> str | None:
        """Return the name of the server that has `channel` (its full name in Redis), None if no server is known."""

    def open_subscriber(self, server: str) -> Redis:
        """Create a client of one server, to subscribe."""

    def open_publisher(self) -> Redis:
        """Create a client that publishes to any channel."""


class RedisBackend(BroadcastBackend):
    """Channels of `broadcaster` on the sharded publish/subscribe of Redis.

    The queue of received events is bounded: when it is full, all events in it are replaced by one `Gap` per channel.
    """

    def __init__(
        self,
        servers: ChannelServers,
        runtime: Runtime,
        *,
        prefix: str = "",
        timing: ConnectionTiming | None = None,
        capacity: int = 10_000,
    ) -> None:
        """Create a backend without connections.

        Args:
            servers: Where the channels are. The backend creates and closes a client per server, and one to publish.
            runtime: Randomness for the jitter of reconnections.
            prefix: The prefix of all channel names in Redis.
            timing: Intervals and time-outs.
            capacity: The size of the queue of received events, which must exceed the number of channels.
        """
        self.healthy = asyncio.Event()
        """Set while the subscriptions of all wanted channels are confirmed and every server responds."""
        self.received = 0
        self.published = 0
        self.gaps = 0
        self.overflows = 0
        self.outages = 0
        self._servers = servers
        self._prefix = prefix
        self._random = runtime.random
        self._timing = timing or ConnectionTiming()
        self._events: asyncio.Queue[Event] = asyncio.Queue(capacity)
        self._wanted: set[str] = set()
        self._opened: set[str] = set()
        self._changed = asyncio.Event()
        self._refresh_due = True
        self._connections: dict[str, ChannelConnection] = {}
        self._publisher: Redis | None = None

    async def connect(self) -> None:
        """Create the publishing client; it connects with the first message."""
        self._publisher = self._servers.open_publisher()

    async def disconnect(self) -> None:
        """Close the publishing client."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.aclose()

    async def subscribe(self, group: str) -> None:
        """Want the channel `group`. Its first event is a `Gap`."""
        self._wanted.add(group)
        self._opened.add(group)
        self._changed.set()

    async def unsubscribe(self, group: str) -> None:
        """Want the channel `group` no more."""
        self._wanted.discard(group)
        self._changed.set()

    async def publish(self, channel: str, message: Any) -> None:
        """Publish `message`.

        Raises:
            RedisError: Or another of `OUTAGES`: Redis did not confirm in time. The message may have been delivered.
        """
        if self._publisher is None:
            raise RuntimeError("`connect` must be called before `publish`")
        try:
            async with asyncio.timeout(self._timing.command_timeout):
                await self._publisher.spublish(self._prefix + channel, message)
        except OUTAGES:
            raise
        except Exception as error:  # What a client raises when its connection closes under a sender is undocumented.
            raise RedisConnectionError(repr(error)) from error
        self.published += 1

    async def next_published(self) -> Event:
        """Return the next event or `Gap`. Never raises, because `Broadcast` would stop reading."""
        return await self._events.get()

    async def run(self) -> None:
        """Receive messages until cancelled: keep a connection to every server that has a wanted channel."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self._changed.clear()
                is_complete = await self._refresh()
                await self._assign(tasks)
                obey_cancellation()
                is_complete = is_complete and not self._unassigned()
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if is_complete else self._retry_delay()):
                        await self._changed.wait()
                if not is_complete:
                    self._refresh_due = True
        finally:
            await _end(list(tasks.values()))
            self._connections.clear()
            self.healthy.clear()

    async def _refresh(self) -> bool:
        """Find out where the channels are, if an outage may have changed it; return whether that is known."""
        if not self._refresh_due:
            return True
        self._refresh_due = False
        try:
            async with asyncio.timeout(10 * self._timing.command_timeout):
                await self._servers.refresh()
        except Exception as error:
            self._record_outage(error)
            return False
        return True

    async def _assign(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        """Give every wanted channel to the connection of its server; open and end connections as needed."""
        opened, self._opened = self._opened, set()
        channels: dict[str, set[str]] = {}
        for channel in self._wanted:
            server = self._servers.server_of(self._prefix + channel)
            if server is not None:
                channels.setdefault(server, set()).add(channel)
        for server in set(tasks) - set(channels):
            self._connections.pop(server)
            await _end([tasks.pop(server)])
        for server, wanted in channels.items():
            if server not in self._connections:
                connection = self._connections[server] = self._connection_to(server)
                tasks[server] = asyncio.create_task(connection.run(), name=f"channels of {server}")
            self._connections[server].want(wanted, opened)
        self._update_health()

    def _connection_to(self, server: str) -> ChannelConnection:
        return ChannelConnection(
            self._servers.open_subscriber(server),
            self._prefix,
            self._timing,
            self._random,
            self._enqueue,
            self._update_health,
            self._on_outage,
        )

    def _unassigned(self) -> set[str]:
        return self._wanted.difference(*(connection.wanted for connection in self._connections.values()))

    def _retry_delay(self) -> float:
        return self._timing.max_reconnect_delay * self._random.uniform(0.25, 0.5)

    def _on_outage(self, error: Exception) -> None:
        self._record_outage(error)
        self._refresh_due = True
        self._changed.set()

    def _record_outage(self, error: Exception) -> None:
        if not self.outages or self.healthy.is_set():
            is_unknown = not isinstance(error, OUTAGES) and not is_closed_transport(error)
            log.warning("redis_channels_lost", error=repr(error), exc_info=is_unknown and error)
        self.outages += 1
        self.healthy.clear()

    def _update_health(self) -> None:
        connections = self._connections.values()
        if connections and all(connection.is_healthy for connection in connections) and not self._unassigned():
            self.healthy.set()
        else:
            self.healthy.clear()

    def _enqueue(self, event: Event) -> None:
        is_gap = isinstance(event, Gap)
        self.received += not is_gap
        if self._events.full():
            self.overflows += 1
            while not self._events.empty():
                self._events.get_nowait()
            for channel in self._wanted:
                self._events.put_nowait(Gap(channel))
            return
        self.gaps += is_gap
        self._events.put_nowait(event)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
