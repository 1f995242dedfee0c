"""uvicorn's HTTP protocol with timeouts for slow clients, the request head cache, and responses in one packet."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from app.transport._upstream import HttpToolsProtocol
from app.transport.http.cacheable_reply import HEAD_BYTES
from app.transport.server.head_cache import CachedHead, RequestHeadCache
from app.transport.server.write_coalescing import CoalescingTransport

REQUEST_HEAD_CACHE = "request_head_cache"
"""The key of the `RequestHeadCache` in the state of the lifespan. Without it every head is parsed."""

END_OF_HEAD = b"\r\n\r\n"


class BoundedHttpProtocol(HttpToolsProtocol):
    """Aborts connections of clients that stop reading their response, or do not finish sending a request head.

    uvicorn itself waits for both without limit: even its `close` flushes first.

    A request that arrives in one piece, with a cached head, is answered without uvicorn's parser and cycle; what its
    client has sent after it is buffered until then. All other requests are parsed by uvicorn.
    """

    stall_timeout: ClassVar[float] = 10.0
    head_timeout: ClassVar[float] = 10.0

    _stall_timer: asyncio.TimerHandle | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _in_head = False
    _in_message = False
    _is_answering = False
    _closes_after_answer = False
    _buffered = b""
    _idle_since = 0.0
    _coalescing_transport: CoalescingTransport
    _request_head_cache: RequestHeadCache | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Also start the timeout of the first request's head. Later ones are covered by keep-alive."""
        super().connection_made(transport)
        self._request_head_cache = self.app_state.get(REQUEST_HEAD_CACHE)
        self._coalescing_transport = CoalescingTransport(transport, self.loop)
        self._head_timer = self.loop.call_later(self.head_timeout, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Also cancel the timers."""
        self._cancel_head_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer a request with a cached head at once; let uvicorn parse all others."""
        if self._is_answering:
            self._buffered += data
            self.flow.pause_reading()
            return
        if self._request_head_cache is None or not self._is_between_messages():
            self._feed(data)
            return
        end = data.find(END_OF_HEAD) + len(END_OF_HEAD)
        head, length = data[:end], len(data) - end
        found = self._request_head_cache.find(head, length, self.client[0] if self.client else None)
        if found is not None and not self.flow.write_paused:
            self._start_answer(*found, data[end:])
            return
        self._feed(data)
        # The cycle has not run yet, and its scope is the current one.
        if self._is_whole_post(length):
            self.scope["state"][HEAD_BYTES] = head

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_head = self._in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that a head is complete, and coalesce the writes of the response."""
        self._in_head = False
        self._cancel_head_timer()
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.transport is self.transport:
            self.cycle.transport = self._coalescing_transport  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        self._in_message = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Also start the timeout of a client that does not read."""
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(self.stall_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """Also cancel the timeout."""
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def shutdown(self) -> None:
        """Close the connection, after the answer that is under way."""
        if self._is_answering:
            self._closes_after_answer = True
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection unless requests with cached heads came meanwhile: they do not reset the timer."""
        began = self.loop.time() if self._is_answering else self._idle_since
        left = began + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _feed(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_timeout, self.transport.abort)

    def _is_between_messages(self) -> bool:
        return not self._in_message and (self.cycle is None or self.cycle.response_complete)

    def _is_whole_post(self, length: int) -> bool:
        """Return whether the data was one complete POST with a body of `length` bytes."""
        if self._in_message or self.cycle is None or self.cycle.response_complete:
            return False
        declared = next((value for name, value in self.scope["headers"] if name == b"content-length"), None)
        return self.scope["method"] == "POST" and declared == b"%d" % length

    def _start_answer(self, cached: CachedHead, request_id: str, context: object, body: bytes) -> None:
        self._cancel_head_timer()
        self._is_answering = True
        task = self.loop.create_task(self._answer(cached, request_id, context, body))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _answer(self, cached: CachedHead, request_id: str, context: object, body: bytes) -> None:
        assert self._request_head_cache is not None
        reply = await self._request_head_cache.answer(cached, request_id, context, body)
        self._is_answering = False
        self._idle_since = self.loop.time()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.transport.write(cached.encode(reply, request_id))
        if self._closes_after_answer:
            self.transport.close()
            return
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if self._buffered:
            buffered, self._buffered = self._buffered, b""
            self.flow.resume_reading()
            self.data_received(buffered)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
