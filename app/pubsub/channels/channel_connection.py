"""One connection that receives the messages of channels from one server of Redis.

Channels are sharded channels (`SSUBSCRIBE`, Redis 7.0): in a cluster a message stays on the node that has the slot of
the channel's name. On a single server they are ordinary channels in a namespace of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import structlog
from broadcaster import Event
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisClusterException, RedisError

from app.pubsub.channels.cancellation import obey_cancellation

log = structlog.get_logger(__name__)

OUTAGES = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What calls to Redis raise while it is unreachable, does not respond, or responds with errors."""


class Gap(Event):
    """Messages of this channel may have been lost until now: the state must be read again."""

    def __init__(self, channel: str) -> None:
        super().__init__(channel, "")


class ChannelMoved(RedisError):
    """The server has ended a subscription, because another node has the slot of the channel now."""


@dataclass(frozen=True, slots=True)
class ConnectionTiming:
    """The intervals and time-outs of the channels, in seconds.

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


class ChannelConnection:
    """Receives the wanted channels of one server while `run` runs, and reconnects after every outage."""

    def __init__(
        self,
        client: Redis,
        prefix: str,
        timing: ConnectionTiming,
        random: Random,
        on_event: Callable[[Event], None],
        on_health: Callable[[], None],
        on_outage: Callable[[Exception], None],
    ) -> None:
        """Prepare a connection.

        Args:
            client: A client of the server, which `run` closes at its end.
            prefix: The prefix of all channel names in Redis.
            timing: Intervals and time-outs.
            random: The source of jitter.
            on_event: Called with every message, and with a `Gap` whenever a subscription was confirmed.
            on_health: Called when `is_healthy` has changed.
            on_outage: Called with the error of every lost connection.
        """
        self.is_healthy = False
        """Whether the server responds and has confirmed a subscription."""
        self._client = client
        self._prefix = prefix
        self._timing = timing
        self._random = random
        self._on_event = on_event
        self._on_health = on_health
        self._on_outage = on_outage
        self._wanted: set[str] = set()
        self._opened: set[str] = set()
        self._wanted_changed = asyncio.Event()

    @property
    def wanted(self) -> frozenset[str]:
        """The channels to receive."""
        return frozenset(self._wanted)

    def want(self, channels: set[str], opened: set[str]) -> None:
        """Receive exactly `channels` from now on; each of those in `opened` begins with a `Gap`."""
        if channels != self._wanted or opened:
            self._wanted = set(channels)
            self._opened |= opened & channels
            self._wanted_changed.set()

    async def run(self) -> None:
        """Receive messages until cancelled, and reconnect after every outage."""
        try:
            await self._reconnect_until_cancelled()
        finally:
            self._set_health(False)
            await self._client.aclose()

    async def _reconnect_until_cancelled(self) -> None:
        delay = self._timing.min_reconnect_delay
        while True:
            pubsub = self._client.pubsub()
            try:
                await self._receive(pubsub)
            except (
                Exception
            ) as error:  # When a connection closes under a sender, the client raises undocumented errors.
                delay = self._timing.min_reconnect_delay if self.is_healthy else delay
                self._on_outage(error)
                self._set_health(False)
            finally:
                with suppress(Exception):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(delay * self._random.uniform(0.5, 1.5))
            delay = min(delay * 2, self._timing.max_reconnect_delay)

    def _set_health(self, healthy: bool) -> None:
        if healthy != self.is_healthy:
            self.is_healthy = healthy
            self._on_health()

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
            # One command per channel: those of a command must be in one slot.
            for channel in added:
                await pubsub.ssubscribe(self._prefix + channel)
            for channel in dropped:
                await pubsub.sunsubscribe(self._prefix + channel)
        for channel in opened & subscribed:  # Unsubscribed and subscribed again in the meantime.
            self._on_event(Gap(channel))
        subscribed |= added
        subscribed -= dropped

    async def _receive_message(self, pubsub: PubSub) -> bool:
        """Wait for a message for one poll interval; return whether anything was received."""
        async with asyncio.timeout(self._timing.poll_interval + self._timing.command_timeout):
            message = await pubsub.get_message(timeout=self._timing.poll_interval)
        if message is None:
            return False
        channel = _text(message["channel"]).removeprefix(self._prefix) if message["channel"] else ""
        match message["type"]:
            case "ssubscribe":
                # The client may also reconnect by itself; Redis then confirms the subscriptions again.
                self._set_health(True)
                self._on_event(Gap(channel))
            case "sunsubscribe" if channel in self._wanted:
                raise ChannelMoved(f"the server has ended the subscription of {channel}")
            case "smessage":
                self._on_event(Event(channel, _text(message["data"])))
        return True


def _text(raw: bytes | str) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
