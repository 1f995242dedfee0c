"""uvicorn's HTTP connection: impossible to hold on to, quick with heads it knows, answers in one packet."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.transport.server.head_cache import HEAD_BYTES, CachedHead, RequestHeadCache
from app.transport.server.write_coalescing import CoalescingTransport

REQUEST_HEAD_CACHE = "known_heads"
"""Place in the state of the lifespan: what answers requests whose heads are known. Optional."""

END_OF_HEAD = b"\r\n\r\n"


class BoundedHttpProtocol(HttpToolsProtocol):
    """Drops clients that stop reading their response, or do not finish sending the head of their request.

    uvicorn itself waits for both for ever: even its `close` first wants to flush.

    A request that comes whole, in one piece, with a head that is known, is answered without uvicorn's parser and cycle;
    whatever its client has sent behind it waits until then. All else goes the long way.
    """

    stall_seconds: ClassVar[float] = 10.0
    head_seconds: ClassVar[float] = 10.0

    _stalled: asyncio.TimerHandle | None = None
    _slow: asyncio.TimerHandle | None = None
    _in_head = False
    _in_message = False
    _answering = False
    _ending = False
    _behind = b""
    _rested_at = 0.0
    _responses: CoalescingTransport
    _request_head_cache: RequestHeadCache | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Also give the first request until `head_seconds` from now. Later ones are covered by keep-alive."""
        super().connection_made(transport)
        self._request_head_cache = self.app_state.get(REQUEST_HEAD_CACHE)
        self._responses = CoalescingTransport(transport, self.loop)
        self._slow = self.loop.call_later(self.head_seconds, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Also put the timers away."""
        self._stop_waiting_for_head()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer at once what is known; also start the clock when these bytes begin a head and do not end it."""
        if self._answering:
            self._behind += data
            self.flow.pause_reading()
            return
        if self._request_head_cache is None or not self._is_between_messages():
            self._feed(data)
            return
        end = data.find(END_OF_HEAD) + len(END_OF_HEAD)
        head, length = data[:end], len(data) - end
        found = self._request_head_cache.find(head, length, self.client[0] if self.client else None)
        if found is not None and not self.flow.write_paused:
            self._begin(*found, data[end:])
            return
        self._feed(data)
        # The cycle has not run yet, and its scope is the last that was begun.
        if self._is_whole_post(length):
            self.scope["state"][HEAD_BYTES] = head

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = self._in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is complete."""
        self._in_head = False
        self._stop_waiting_for_head()
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.transport is self.transport:
            self.cycle.transport = self._responses  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._in_message = False
        super().on_message_complete()

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

    def shutdown(self) -> None:
        """Also let an answer that is under way be the last."""
        if self._answering:
            self._ending = True
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Also look whether the connection has rested all the time: known heads do not touch the timer."""
        began = self.loop.time() if self._answering else self._rested_at
        left = began + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _feed(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and self._slow is None and not self.transport.is_closing():
            self._slow = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _is_between_messages(self) -> bool:
        return not self._in_message and (self.cycle is None or self.cycle.response_complete)

    def _is_whole_post(self, length: int) -> bool:
        """Whether what was fed was one POST, complete, with a body of `length` bytes."""
        if self._in_message or self.cycle is None or self.cycle.response_complete:
            return False
        declared = next((value for name, value in self.scope["headers"] if name == b"content-length"), None)
        return self.scope["method"] == "POST" and declared == b"%d" % length

    def _begin(self, known: CachedHead, request_id: str, context: object, body: bytes) -> None:
        self._stop_waiting_for_head()
        self._answering = True
        task = self.loop.create_task(self._answer(known, request_id, context, body))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _answer(self, known: CachedHead, request_id: str, context: object, body: bytes) -> None:
        assert self._request_head_cache is not None
        response = await self._request_head_cache.answer(known, request_id, context, body)
        self._answering = False
        self._rested_at = self.loop.time()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.transport.write(response)
        if self._ending:
            self.transport.close()
            return
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if self._behind:
            behind, self._behind = self._behind, b""
            self.flow.resume_reading()
            self.data_received(behind)

    def _stop_waiting_for_head(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
