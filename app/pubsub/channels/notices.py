"""Notices: what every process hears besides the moves of boards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from broadcaster import Broadcast

from app.pubsub.channels.events import NOTICES, Canary, Notice, NoticesLost, decode_notice, encode_notice
from app.pubsub.channels.redis_backend import Gap

log = logging.getLogger(__name__)

Listener = Callable[[Notice], None]


class Notices:
    """The channel `notices`. Listeners are called on the event loop, in order, and must not block.

    After a loss they get `NoticesLost` and must not rely on anything they were told before.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        self.received = 0
        self.losses = 0
        self.unreadable = 0
        self._broadcast = broadcast
        self._listeners: list[Listener] = []
        self._canaries: dict[str, asyncio.Event] = {}

    def listen(self, listener: Listener) -> None:
        """Calls `listener` with every notice from now on."""
        self._listeners.append(listener)

    async def publish(self, notice: Notice) -> None:
        """Tells every process. Raises one of `OUTAGES` when Redis does not take it in time."""
        await self._broadcast.publish(NOTICES, encode_notice(notice))

    async def canary(self, nonce: str, timeout: float = 1.0) -> None:
        """Sends a sign of life through Redis and waits until it is heard here.

        Raises TimeoutError when it did not come back, or one of `OUTAGES` when it could not even be sent.
        """
        back = self._canaries[nonce] = asyncio.Event()
        try:
            async with asyncio.timeout(timeout):
                await self.publish(Canary(nonce))
                await back.wait()
        finally:
            del self._canaries[nonce]

    async def run(self) -> None:
        """Listens until cancelled. To be supervised."""
        async with self._broadcast.subscribe(NOTICES) as subscriber:
            while True:
                event = await subscriber.get()
                self._hear(NoticesLost() if isinstance(event, Gap) else decode_notice(event.message))

    def _hear(self, notice: Notice | None) -> None:
        match notice:
            case None:
                self.unreadable += 1
                return
            case Canary(nonce):
                if (back := self._canaries.get(nonce)) is not None:
                    back.set()
                return
            case NoticesLost():
                self.losses += 1
            case _:
                self.received += 1
        for listener in self._listeners:
            try:
                listener(notice)
            except Exception:  # one that fails must not deafen the others
                log.exception("a listener failed on %s", type(notice).__name__)
