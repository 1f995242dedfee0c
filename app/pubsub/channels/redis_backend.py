"""The way of `broadcaster` to Redis: a backend that outlives every outage of the store.

`Broadcast` keeps its public face; this is what it stands on. Differences that matter from a plain listener:

- `subscribe` and `unsubscribe` never suspend. They edit a set of wanted channels, so that tasks which open one channel
  at the same time cannot overwrite each other inside `Broadcast.subscribe`.
- One coroutine, `run`, owns the connection that listens. It never gives up, and whoever supervises the process runs it.
- Redis forgets what it could not deliver. Whenever a channel may have lost messages, and once when it is opened, its
  subscribers get a `Gap` before anything that was published after the loss.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from broadcaster import BroadcastBackend, Event
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from app.pubsub.channels.cancellation import obey_cancellation

log = logging.getLogger(__name__)

OUTAGES = (RedisError, OSError, TimeoutError)
"""What a store that is away, frozen or out of its mind raises."""


class Gap(Event):
    """Messages of this channel may have been lost until now: read the state anew."""

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
    """Channels of `broadcaster` on Redis publish/subscribe, each under `prefix`.

    `clients` makes a new Redis client; the backend makes two, one that listens and one that publishes, and closes both.
    At most `capacity` events wait for `Broadcast`; when more come, all of them give way to one `Gap` per channel (so
    `capacity` must exceed the number of channels).
    """

    def __init__(
        self,
        clients: Callable[[], Redis],
        *,
        prefix: str = "",
        random: Random,
        timing: ConnectionTiming | None = None,
        capacity: int = 10_000,
    ) -> None:
        self.healthy = asyncio.Event()
        """Set while Redis confirms subscriptions and answers; cleared from the first sign of trouble on."""
        self.received = 0
        self.published = 0
        self.gaps = 0
        self.overflows = 0
        self.outages = 0
        self._clients = clients
        self._prefix = prefix
        self._random = random
        self._timing = timing or ConnectionTiming()
        self._events: asyncio.Queue[Event] = asyncio.Queue(capacity)
        self._wanted: set[str] = set()
        self._opened: set[str] = set()
        self._edited = asyncio.Event()
        self._publisher: Redis | None = None

    async def connect(self) -> None:
        """Makes the publishing client; no connection is opened before the first message."""
        self._publisher = self._clients()

    async def disconnect(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.aclose()

    async def subscribe(self, group: str) -> None:
        self._wanted.add(group)
        self._opened.add(group)
        self._edited.set()

    async def unsubscribe(self, group: str) -> None:
        self._wanted.discard(group)
        self._edited.set()

    async def publish(self, channel: str, message: Any) -> None:
        """Hands `message` to Redis.

        Raises RedisError, OSError or TimeoutError when Redis does not take it in time; it may have been delivered.
        """
        if self._publisher is None:
            raise RuntimeError("not connected")
        async with asyncio.timeout(self._timing.command_timeout):
            await self._publisher.publish(self._prefix + channel, message)
        self.published += 1

    async def next_published(self) -> Event:
        """The next event or `Gap`. Never raises: whoever reads on must not have to restart."""
        return await self._events.get()

    async def run(self) -> None:
        """Listens until cancelled, through every outage. To be supervised: it raises only what is a fault in here."""
        client = self._clients()
        try:
            await self._listen_for_ever(client)
        finally:
            self.healthy.clear()
            await client.aclose()

    async def _listen_for_ever(self, client: Redis) -> None:
        delay = self._timing.min_reconnect_delay
        while True:
            pubsub = client.pubsub()
            try:
                await self._listen(pubsub)
            except OUTAGES as error:
                delay = self._timing.min_reconnect_delay if self.healthy.is_set() else delay
                self._lost(error)
            finally:
                with suppress(*OUTAGES):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(delay * self._random.uniform(0.5, 1.5))
            delay = min(delay * 2, self._timing.max_reconnect_delay)

    def _lost(self, error: Exception) -> None:
        self.outages += 1
        if self.healthy.is_set():
            log.warning("lost the Redis channel: %r", error)
        self.healthy.clear()

    async def _listen(self, pubsub: PubSub) -> None:
        """Keeps one connection's subscriptions equal to the wanted ones and takes what arrives. Ends by raising."""
        clock = asyncio.get_running_loop().time
        held: set[str] = set()
        heard = pinged = clock()
        while True:
            await self._adjust(pubsub, held)
            obey_cancellation()
            if not held:
                await self._edited.wait()
                heard = clock()
                continue
            if await self._take(pubsub):
                heard = clock()
                await asyncio.sleep(0)  # a full socket buffer is read without suspending: let others have a turn
                continue
            silent = clock() - heard
            if silent > self._timing.silence_timeout:
                raise TimeoutError(f"Redis has been silent for {silent:.1f} s")
            if min(silent, clock() - pinged) > self._timing.ping_interval:
                pinged = clock()
                async with asyncio.timeout(self._timing.command_timeout):
                    await pubsub.ping()

    async def _adjust(self, pubsub: PubSub, held: set[str]) -> None:
        if held and not self._edited.is_set():
            return
        self._edited.clear()
        opened, self._opened = self._opened, set()
        added, dropped = self._wanted - held, held - self._wanted
        async with asyncio.timeout(self._timing.command_timeout):
            if added:
                await pubsub.subscribe(*(self._prefix + channel for channel in added))
            if dropped:
                await pubsub.unsubscribe(*(self._prefix + channel for channel in dropped))
        for channel in opened & held:  # left and opened again before this connection noticed
            self._offer(Gap(channel))
        held |= added
        held -= dropped

    async def _take(self, pubsub: PubSub) -> bool:
        """Waits a moment for one message; whether there was any sign of life."""
        async with asyncio.timeout(self._timing.poll_interval + self._timing.command_timeout):
            message = await pubsub.get_message(timeout=self._timing.poll_interval)
        if message is None:
            return False
        match message["type"]:
            case "subscribe":
                # The client reconnects behind our back as well, and then confirms its subscriptions once more.
                self.healthy.set()
                self._offer(Gap(self._channel(message)))
            case "message":
                self.received += 1
                self._offer(Event(self._channel(message), _text(message["data"])))
        return True

    def _channel(self, message: dict[str, Any]) -> str:
        return _text(message["channel"]).removeprefix(self._prefix)

    def _offer(self, event: Event) -> None:
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
