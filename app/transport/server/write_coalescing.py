"""Coalescing of a response's head and body into one packet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class CoalescingTransport:
    """The transport of a connection, with the methods that responses use.

    uvicorn writes the head, then the body: two system calls, and a client that wakes up for the first only to wait for
    the second. This transport holds the first write until the second, but never beyond the present turn of the event
    loop, so that the head of a stream goes out before its first event. Order and content stay as they are.
    """

    __slots__ = ("_held", "_loop", "_on_close", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        """Wrap `transport`; `on_close` is called after it was told to close."""
        self._transport = transport
        self._loop = loop
        self._on_close = on_close
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send `data`, now or before the next turn of the event loop."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        elif data:
            self._held = data
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the connection when everything has been sent."""
        self.flush()
        self._transport.close()
        self._on_close()
