"""Notices: the messages to all processes other than changes of boards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from broadcaster import Broadcast

from app.pubsub.channels.channel_connection import Gap
from app.pubsub.channels.events import NOTICES, Notice, NoticesLost, Probe, decode_notice, encode_notice

log = structlog.get_logger(__name__)

Listener = Callable[[Notice], None]


class Notices:
    """The channel `notices`. Listeners are called on the event loop, in order, and must not block.

    After a gap they receive `NoticesLost`, and must not rely on anything that earlier notices said.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        self.received = 0
        self.losses = 0
        self.unreadable = 0
        self._broadcast = broadcast
        self._listeners: list[Listener] = []
        self._canaries: dict[str, asyncio.Event] = {}

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every notice from now on."""
        self._listeners.append(listener)

    async def publish(self, notice: Notice) -> None:
        """Send a notice to every process. Raises one of `OUTAGES` if Redis does not accept it in time."""
        await self._broadcast.publish(NOTICES, encode_notice(notice))

    async def probe(self, nonce: str, timeout: float = 1.0) -> None:
        """Send a message through Redis and wait until it is received here.

        Raises:
            TimeoutError: It was not received in time. One of `OUTAGES` if it could not be sent.
        """
        received = self._canaries[nonce] = asyncio.Event()
        try:
            async with asyncio.timeout(timeout):
                await self.publish(Probe(nonce))
                await received.wait()
        finally:
            del self._canaries[nonce]

    async def run(self) -> None:
        """Receive notices until cancelled."""
        async with self._broadcast.subscribe(NOTICES) as subscriber:
            while True:
                event = await subscriber.get()
                self._receive(NoticesLost() if isinstance(event, Gap) else decode_notice(event.message))

    def _receive(self, notice: Notice | None) -> None:
        match notice:
            case None:
                self.unreadable += 1
                return
            case Probe(nonce):
                if (waiting := self._canaries.get(nonce)) is not None:
                    waiting.set()
                return
            case NoticesLost():
                self.losses += 1
            case _:
                self.received += 1
        for listener in self._listeners:
            try:
                listener(notice)
            except Exception:  # A failing listener must not keep the notice from the others.
                log.exception("notice_listener_failed", notice=type(notice).__name__)
