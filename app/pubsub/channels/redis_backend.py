"""A backend of `broadcaster` on Redis that survives every outage of the server.

The interface of `Broadcast` stays the same. Differences to its own backend that matter:

- `subscribe` and `unsubscribe` never suspend. They edit a set of wanted channels, so that tasks which open one channel
  at the same time cannot overwrite each other inside `Broadcast.subscribe`.
- One coroutine, `run`, owns the subscribing connection, and reconnects for as long as it runs.
- Redis does not keep messages that it could not deliver. Whenever messages of a channel may be lost, and once when it
  is opened, its subscribers receive a `Gap` before any message that was published later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from broadcaster import BroadcastBackend, Event
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from app.pubsub.channels.cancellation import obey_cancellation
from app.runtime import Runtime

log = structlog.get_logger(__name__)

OUTAGES = (RedisError, OSError, TimeoutError)
"""What calls to Redis raise while it is unreachable, does not respond, or responds with errors."""


class Gap(Event):
    """Messages of this channel may have been lost until now: the state must be read again."""

    def __init__(self, channel: str) -> None:
        super().__init__(channel, "")


@dataclass(frozen=True, slots=True)
class ConnectionTiming:
    """The intervals and time-outs of the backend, in seconds.

    Attributes:
        poll_interval: A newly wanted channel is subscribed after at most this time.
        ping_interval: A connection without messages is pinged this often.
        silence_timeout: A server that sends nothing for this long, despite the pings, counts as unreachable.
        command_timeout: The time limit of one command.
        min_reconnect_delay: The delay before the first reconnection; it doubles, with jitter, ...
        max_reconnect_delay: ... up to this one.
    """

    poll_interval: float = 0.1
    ping_interval: float = 1.0
    silence_timeout: float = 3.0
    command_timeout: float = 1.0
    min_reconnect_delay: float = 0.05
    max_reconnect_delay: float = 2.0


class RedisBackend(BroadcastBackend):
    """Channels of `broadcaster` on Redis publish/subscribe.

    The queue of received events is bounded: when it is full, all events in it are replaced by one `Gap` per channel.
    """

    def __init__(
        self,
        new_client: Callable[[], Redis],
        runtime: Runtime,
        *,
        prefix: str = "",
        timing: ConnectionTiming | None = None,
        capacity: int = 10_000,
    ) -> None:
        """Create a backend without connections.

        Args:
            new_client: Creates a Redis client. The backend creates and closes two, one to subscribe and one to publish.
            runtime: Randomness for the jitter of reconnections.
            prefix: The prefix of all channel names in Redis.
            timing: Intervals and time-outs.
            capacity: The size of the queue of received events, which must exceed the number of channels.
        """
        self.healthy = asyncio.Event()
        """Set while subscriptions are confirmed and Redis responds."""
        self.received = 0
        self.published = 0
        self.gaps = 0
        self.overflows = 0
        self.outages = 0
        self._new_client = new_client
        self._prefix = prefix
        self._random = runtime.random
        self._timing = timing or ConnectionTiming()
        self._events: asyncio.Queue[Event] = asyncio.Queue(capacity)
        self._wanted: set[str] = set()
        self._opened: set[str] = set()
        self._wanted_changed = asyncio.Event()
        self._publisher: Redis | None = None

    async def connect(self) -> None:
        """Create the publishing client; it connects with the first message."""
        self._publisher = self._new_client()

    async def disconnect(self) -> None:
        """Close the publishing client."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.aclose()

    async def subscribe(self, group: str) -> None:
        """Want the channel `group`. Its first event is a `Gap`."""
        self._wanted.add(group)
        self._opened.add(group)
        self._wanted_changed.set()

    async def unsubscribe(self, group: str) -> None:
        """Want the channel `group` no more."""
        self._wanted.discard(group)
        self._wanted_changed.set()

    async def publish(self, channel: str, message: Any) -> None:
        """Publish `message`.

        Raises:
            RedisError: Or OSError or TimeoutError: Redis did not confirm in time. The message may have been delivered.
        """
        if self._publisher is None:
            raise RuntimeError("`connect` must be called before `publish`")
        try:
            async with asyncio.timeout(self._timing.command_timeout):
                await self._publisher.publish(self._prefix + channel, message)
        except OUTAGES:
            raise
        except Exception as error:  # What a client raises when its connection closes under a sender is undocumented.
            raise RedisConnectionError(repr(error)) from error
        self.published += 1

    async def next_published(self) -> Event:
        """Return the next event or `Gap`. Never raises, because `Broadcast` would stop reading."""
        return await self._events.get()

    async def run(self) -> None:
        """Receive messages until cancelled, and reconnect after every outage."""
        client = self._new_client()
        try:
            await self._reconnect_until_cancelled(client)
        finally:
            self.healthy.clear()
            await client.aclose()

    async def _reconnect_until_cancelled(self, client: Redis) -> None:
        delay = self._timing.min_reconnect_delay
        while True:
            pubsub = client.pubsub()
            try:
                await self._receive(pubsub)
            except Exception as error:
                delay = self._timing.min_reconnect_delay if self.healthy.is_set() else delay
                self._record_outage(error)
            finally:
                with suppress(Exception):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(delay * self._random.uniform(0.5, 1.5))
            delay = min(delay * 2, self._timing.max_reconnect_delay)

    def _record_outage(self, error: Exception) -> None:
        self.outages += 1
        if self.healthy.is_set():
            is_unknown = not isinstance(error, OUTAGES)
            log.warning("redis_channels_lost", error=repr(error), exc_info=is_unknown and error)
        self.healthy.clear()

    async def _receive(self, pubsub: PubSub) -> None:
        """Keep the subscriptions of one connection up to date, and receive messages, until a call fails."""
        clock = asyncio.get_running_loop().time
        subscribed: set[str] = set()
        received_at = pinged_at = clock()
        while True:
            await self._update_subscriptions(pubsub, subscribed)
            obey_cancellation()
            if not subscribed:
                await self._wanted_changed.wait()
                received_at = clock()
                continue
            if await self._receive_message(pubsub):
                received_at = clock()
                await asyncio.sleep(0)  # A full socket buffer is read without suspending; let other tasks run.
                continue
            silent = clock() - received_at
            if silent > self._timing.silence_timeout:
                raise TimeoutError(f"Redis sent nothing for {silent:.1f} s")
            if min(silent, clock() - pinged_at) > self._timing.ping_interval:
                pinged_at = clock()
                async with asyncio.timeout(self._timing.command_timeout):
                    await pubsub.ping()

    async def _update_subscriptions(self, pubsub: PubSub, subscribed: set[str]) -> None:
        if subscribed and not self._wanted_changed.is_set():
            return
        self._wanted_changed.clear()
        opened, self._opened = self._opened, set()
        added, dropped = self._wanted - subscribed, subscribed - self._wanted
        async with asyncio.timeout(self._timing.command_timeout):
            if added:
                await pubsub.subscribe(*(self._prefix + channel for channel in added))
            if dropped:
                await pubsub.unsubscribe(*(self._prefix + channel for channel in dropped))
        for channel in opened & subscribed:  # Unsubscribed and subscribed again in the meantime.
            self._enqueue(Gap(channel))
        subscribed |= added
        subscribed -= dropped

    async def _receive_message(self, pubsub: PubSub) -> bool:
        """Wait for a message for one poll interval; return whether anything was received."""
        async with asyncio.timeout(self._timing.poll_interval + self._timing.command_timeout):
            message = await pubsub.get_message(timeout=self._timing.poll_interval)
        if message is None:
            return False
        match message["type"]:
            case "subscribe":
                # The client may also reconnect by itself; Redis then confirms the subscriptions again.
                self.healthy.set()
                self._enqueue(Gap(self._channel(message)))
            case "message":
                self.received += 1
                self._enqueue(Event(self._channel(message), _text(message["data"])))
        return True

    def _channel(self, message: dict[str, Any]) -> str:
        return _text(message["channel"]).removeprefix(self._prefix)

    def _enqueue(self, event: Event) -> None:
        if self._events.full():
            self.overflows += 1
            while not self._events.empty():
                self._events.get_nowait()
            for channel in self._wanted:
                self._events.put_nowait(Gap(channel))
            return
        if isinstance(event, Gap):
            self.gaps += 1
        self._events.put_nowait(event)


def _text(raw: bytes | str) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
