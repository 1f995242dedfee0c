"""uvicorn's HTTP protocol with bounds for time and memory, the request head cache, and responses in one packet."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import httptools
import orjson

from app.telemetry.requests import RefusalLog
from app.transport._upstream import (
    STATUS_LINE,
    ASGI3Application,
    HttpToolsProtocol,
    RequestResponseCycle,
    WebSocketsSansIOProtocol,
)
from app.transport.errors import BAD_REQUEST, BadRequest
from app.transport.http.cacheable_reply import HEAD_BYTES
from app.transport.server.close_delimited import close_delimited
from app.transport.server.head_cache import CachedHead, RequestHeadCache
from app.transport.server.request_head import (
    HANDSHAKE_HEADERS,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    apply_target,
    check_handshake,
    check_repeated,
    without_upgrade,
)
from app.transport.server.write_coalescing import CoalescingTransport

REFUSAL_LOG = "refusal_log"
"""The key of the `RefusalLog` in the state of the lifespan. Without it refusals are not logged."""

REQUEST_HEAD_CACHE = "request_head_cache"
"""The key of the `RequestHeadCache` in the state of the lifespan. Without it every head is parsed."""

END_OF_HEAD = b"\r\n\r\n"

SLICE_BYTES = 16 * 1024
"""The parser gets at most this much at a time, so that what it collects is measured in between."""

MAX_PIPELINED_REQUESTS = 64
"""Requests that may wait for the answers to earlier ones of the same connection."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Serves HTTP/1 and bounds what a client may take, which uvicorn does not.

    - One timer runs from the moment a connection is accepted, or a request begins, until its last byte has arrived:
      `head_timeout` for the head, then `body_timeout` for the body, whoever reads it. It runs again when the
      connection is closed, until the client has taken what was sent; and while the client does not take an answer.
    - A head has at most `MAX_HEAD_BYTES` and `MAX_HEADERS`, as have the trailers of a body, which are ignored.
    - A request that cannot be parsed is answered with 4xx and the connection is closed.

    An offer to upgrade to anything but a WebSocket is ignored, as RFC 9110 allows: the request is answered.

    A request that arrives in one piece, with a cached head, is answered without uvicorn's parser and cycle; what its
    client has sent after it is buffered until then. All other requests are parsed by uvicorn.
    """

    stall_timeout: ClassVar[float] = 10.0
    head_timeout: ClassVar[float] = 10.0
    # Longer than the endpoint waits for a body, so that it can answer with 408.
    body_timeout: ClassVar[float] = 15.0
    # A connection that is closed with unread data is reset, and the reset can overtake the answer.
    refusal_linger: ClassVar[float] = 2.0

    _timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _in_head = False
    _in_message = False
    _is_answering = False
    _is_refused = False
    _head_without_upgrade: bytes | None = None
    _closes_after_answer = False
    _is_draining = False
    _has_parsed = False
    _field_bytes = 0
    _unparsed_bytes = 0
    _buffered = b""
    _idle_since = 0.0
    _coalescing_transport: CoalescingTransport
    _request_head_cache: RequestHeadCache | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Also start the timer."""
        super().connection_made(transport)
        self._request_head_cache = self.app_state.get(REQUEST_HEAD_CACHE)
        self._coalescing_transport = CoalescingTransport(transport, self.loop, on_close=self._abort_unless_taken)
        self._start_timer(self.head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Also cancel the timers."""
        self._cancel_timer()
        self.resume_writing()
        super().connection_lost(exc)
        self._cancel_timer()

    def data_received(self, data: bytes) -> None:
        """Answer a request with a cached head at once; let uvicorn parse all others."""
        if self._is_refused:
            return
        if self._is_answering:
            self._buffered += data
            self.flow.pause_reading()
            return
        if self._request_head_cache is None or self._is_draining or not self._is_between_messages():
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

    # Called by the parser

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_head = self._in_message = self._has_parsed = True
        self._field_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Also bound the head."""
        self._add_field(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Also bound the head, and ignore the fields of a trailer: they must not become headers."""
        self._add_field(len(name) + len(value))
        if self._in_head:
            super().on_header(name, value)
            if len(self.headers) > MAX_HEADERS:
                raise BadRequest(431, f"A request must have at most {MAX_HEADERS} headers.")
        elif name.lower() == b"connection" and self.cycle is not None:
            self.cycle.keep_alive = False  # The parser heeds this field, and may read nothing after it.

    def on_headers_complete(self) -> None:
        """Check the head, start the timeout of the body, and coalesce the writes of the response."""
        if self.parser.get_method() == b"CONNECT":
            raise BadRequest(405, "CONNECT is not supported.")
        if self.parser.should_upgrade() and not self._should_upgrade():
            method, version = self.parser.get_method(), self.parser.get_http_version().encode()
            self._head_without_upgrade = without_upgrade(method, self.url, version, self.headers)
            return
        check_repeated(self.headers)
        self.url, self.headers[:] = apply_target(self.url, self.headers)
        if self.parser.should_upgrade():
            check_handshake(self.url, self.headers)
        if len(self.pipeline) >= MAX_PIPELINED_REQUESTS:
            raise BadRequest(400, f"At most {MAX_PIPELINED_REQUESTS} requests may wait on a connection.")
        self._in_head = False
        self._start_timer(self.body_timeout)
        super().on_headers_complete()
        if self.cycle is not None and self._is_draining:
            self.cycle.keep_alive = False
        if self.cycle is not None and self.cycle.transport is self.transport:
            self.cycle.transport = self._coalescing_transport  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Note that the parser made progress."""
        self._has_parsed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        self._has_parsed = True
        if self._head_without_upgrade is not None:
            return
        self._in_message = False
        self._cancel_timer()
        super().on_message_complete()

    def _add_field(self, size: int) -> None:
        self._has_parsed = True
        self._field_bytes += size
        if self._field_bytes > MAX_HEAD_BYTES:
            raise BadRequest(431, f"The head of a request must have at most {MAX_HEAD_BYTES} bytes.")

    # Called by uvicorn

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start the application; clients of HTTP/1.0 get bodies that end with the connection."""
        is_old = cycle.scope["http_version"] == "1.0"
        super()._start_asgi_task(cycle, close_delimited(app, cycle) if is_old else app)

    def handle_websocket_upgrade(self) -> None:
        """Also cancel the timer, and pass the whole head on although the handshake reads only part of it."""
        self._cancel_timer()
        headers = self.scope["headers"]
        # The library of the handshake bounds lines more tightly than an access token may be long.
        self.scope["headers"] = [header for header in headers if header[0] in HANDSHAKE_HEADERS]
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WebSocketsSansIOProtocol) and not protocol.handshake_complete:
            protocol.scope["headers"] = headers

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

    def drain(self) -> None:
        """Close the connection after the answer that is under way or else after the next one, and say so in it."""
        self._is_draining = True
        if self._is_answering:
            self._closes_after_answer = True
        elif self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close the connection, after the answer that is under way."""
        if self._is_answering:
            self._closes_after_answer = True
            return
        super().shutdown()
        if self.transport.is_closing():
            self._abort_unless_taken()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection unless requests with cached heads came meanwhile: they do not reset the timer."""
        began = self.loop.time() if self._is_answering else self._idle_since
        left = began + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()
            self._abort_unless_taken()

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data and not self._is_refused:
            part, data = data[:SLICE_BYTES], data[SLICE_BYTES:]
            self._has_parsed = False
            try:
                self.parser.feed_data(part)
            except httptools.HttpParserUpgrade as upgrade:
                if self._head_without_upgrade is None:
                    self.handle_websocket_upgrade()
                    return
                # The parser takes what follows for another protocol, and would take a body for a request.
                self._make_parser()
                data = self._head_without_upgrade + part[upgrade.args[0] :] + data
                self._head_without_upgrade = None
            except httptools.HttpParserError as error:
                reason = error.__context__
                self._refuse(
                    reason
                    if isinstance(reason, BadRequest)
                    else BadRequest(400, f"The request must be valid HTTP/1.1: {error}.")
                )
            else:
                # A field that is not complete is collected in the parser.
                self._unparsed_bytes = 0 if self._has_parsed else self._unparsed_bytes + len(part)
                if self._field_bytes + self._unparsed_bytes > MAX_HEAD_BYTES and not self._is_refused:
                    self._refuse(BadRequest(431, f"A head must have at most {MAX_HEAD_BYTES} bytes."))
        is_idle = self._is_between_messages() and self.timeout_keep_alive_task is None
        if (self._in_head or is_idle) and self._timer is None and not self.transport.is_closing():
            self._start_timer(self.head_timeout)

    def _make_parser(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _refuse(self, reason: BadRequest) -> None:
        """Answer with an error, ignore all further data, and close the connection.

        While an earlier request of the connection is being answered, the connection is closed after its answer.
        """
        self._is_refused = True
        refusal_log = self.app_state.get(REFUSAL_LOG)
        if isinstance(refusal_log, RefusalLog):
            refusal_log.add(BAD_REQUEST, reason.message, peer=self.client and self.client[0])
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            is_refused = self._in_message and not self._in_head and not self.pipeline
            if not is_refused or cycle.response_started:
                cycle.keep_alive = False
                self._cancel_timer()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(self._encode_refusal(reason))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._start_timer(self.refusal_linger)

    def _encode_refusal(self, reason: BadRequest) -> bytes:
        body = orjson.dumps({"errors": [{"message": reason.message, "extensions": {"code": BAD_REQUEST}}]})
        headers = (
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        )
        return b"".join((STATUS_LINE[reason.status], *(b"%b: %b\r\n" % header for header in headers), b"\r\n", body))

    def _is_between_messages(self) -> bool:
        return not self._in_message and (self.cycle is None or self.cycle.response_complete)

    def _is_whole_post(self, length: int) -> bool:
        """Return whether the data was one complete POST with a body of `length` bytes."""
        if self._in_message or self.cycle is None or self.cycle.response_complete:
            return False
        declared = next((value for name, value in self.scope["headers"] if name == b"content-length"), None)
        return self.scope["method"] == "POST" and declared == b"%d" % length

    def _start_answer(self, cached: CachedHead, request_id: str, context: object, body: bytes) -> None:
        self._cancel_timer()
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
        headers = self.server_state.default_headers
        if self._closes_after_answer:
            headers = [*headers, (b"connection", b"close")]
        self.transport.write(cached.encode(reply, request_id, headers))
        if self._closes_after_answer:
            self.transport.close()
            self._abort_unless_taken()
            return
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if self._buffered:
            buffered, self._buffered = self._buffered, b""
            self.flow.resume_reading()
            self.data_received(buffered)

    def _start_timer(self, seconds: float) -> None:
        """Abort the connection in `seconds`, unless the timer is cancelled or started again."""
        self._cancel_timer()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort_unless_taken(self) -> None:
        """Abort a connection that was closed if its client does not take what was sent: closing alone would wait."""
        self._start_timer(self.stall_timeout)
