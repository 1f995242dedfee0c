"""uvicorn's HTTP connection, made impossible to hold on to, and with answers in one packet."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.transport.joined_writes import JoinedWrites


class BoundedHttpProtocol(HttpToolsProtocol):
    """Drops clients that stop reading their response, or do not finish sending the head of their request.

    uvicorn itself waits for both for ever: even its `close` first wants to flush.
    """

    stall_seconds: ClassVar[float] = 10.0
    head_seconds: ClassVar[float] = 10.0

    _stalled: asyncio.TimerHandle | None = None
    _slow: asyncio.TimerHandle | None = None
    _in_head = False
    _responses: JoinedWrites

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Also give the first request until `head_seconds` from now. Later ones are covered by keep-alive."""
        super().connection_made(transport)
        self._responses = JoinedWrites(transport, self.loop)
        self._slow = self.loop.call_later(self.head_seconds, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Also put the timers away."""
        self._stop_waiting_for_head()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Also start the clock when these bytes begin a head and do not end it."""
        super().data_received(data)
        if self._in_head and self._slow is None and not self.transport.is_closing():
            self._slow = self.loop.call_later(self.head_seconds, self.transport.abort)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is complete."""
        self._in_head = False
        self._stop_waiting_for_head()
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.transport is self.transport:
            self.cycle.transport = self._responses  # type: ignore[assignment]

    def pause_writing(self) -> None:
        """Also start the clock: the client does not read what is written."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Also stop the clock."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _stop_waiting_for_head(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
