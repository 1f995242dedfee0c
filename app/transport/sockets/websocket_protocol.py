"""uvicorn's WebSocket protocol with direct writes, and with timeouts for clients that stop reading."""

from __future__ import annotations

import asyncio
import socket
from asyncio import BaseTransport, TimerHandle
from typing import Any, ClassVar, cast

from uvicorn.config import Config

from app.transport._upstream import OPEN, ClientDisconnected, Frame, ServerState, WebSocketsSansIOProtocol
from app.transport.sockets.close_codes import CloseCode
from app.transport.sockets.socket_event_handler import SocketEventHandler

EXTENSION = "leaderboard.socket"
"""The key of the `SocketProtocol` in the `extensions` of the ASGI scope of a socket."""

SEND_BUFFER_BYTES = 32 * 1024
"""The send buffer of the kernel for one socket (Linux reserves twice that): about twenty boards."""

MAX_FRAGMENTS = 64
"""The most frames of one message. Empty fragments cost the sender nothing, and each takes memory here."""


class _NullQueue:
    """Replaces the queue and the flag that only an ASGI task would use. They take 3 KB of a socket."""

    def put_nowait(self, _event: object) -> None: ...

    def set(self) -> None: ...

    def clear(self) -> None: ...


class SocketProtocol(WebSocketsSansIOProtocol):
    """Serves an ASGI application until it attaches a `SocketEventHandler`, and that session from then on.

    A socket with a session has no task, no queue and no scope: messages are method calls, and frames are written to the
    transport directly. Guarantees:

    - Frames are whole and in order, and none is written after the close frame.
    - The write buffer is empty or the client is slow: `pending` is what the kernel has not taken yet. A client that
      takes nothing for `stall_timeout` seconds gets 1013, and loses the connection `abort_delay` seconds later.
    - A client that does not answer a ping, or a close frame for `close_handshake_timeout` seconds, loses the connection
      too, and so does one without a session `handshake_timeout` seconds after its handshake began. None can hold it
      open by not reading, which `transport.close()` alone would allow.
    """

    stall_timeout: ClassVar[float] = 3.0
    abort_delay: ClassVar[float] = 1.0
    close_handshake_timeout: ClassVar[float] = 5.0
    handshake_timeout: ClassVar[float] = 10.0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.close_timeout = self.close_handshake_timeout
        self._session: SocketEventHandler | None = None
        self._attached = False
        self._stall_timer: TimerHandle | None = None
        self._handshake_timer: TimerHandle | None = None
        self._backlog = 0
        self.is_lost = False
        """Whether the connection ended without a close frame."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Also bound the handshake and the kernel's buffer, and report every congestion of the transport."""
        super().connection_made(transport)
        self._handshake_timer = self.loop.call_later(self.handshake_timeout, self.transport.abort)
        self.transport.set_write_buffer_limits(high=0)
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Also end the session."""
        self._stop_stall_timer()
        self._stop_handshake_timer()
        self.is_lost = True
        self._release()
        super().connection_lost(exc)
        # The parser is a generator whose frame refers to its owner: unbroken, every lost socket is left to the
        # garbage collector.
        self.conn.parser.close()

    # Called by the session

    def attach(self, session: SocketEventHandler) -> None:
        """Attach a session. Called by the ASGI application before it accepts; the application returns right afterwards.

        Raises:
            ClientDisconnected: The client has disconnected already.
        """
        if self.disconnected:
            raise ClientDisconnected
        self._session = session
        self._attached = True
        if self.read_paused:
            # Messages that a client sent before it was accepted violate the protocol, and are dropped.
            self.read_paused = False
            self.transport.resume_reading()

    @property
    def pending(self) -> int:
        """Return the number of bytes written that the kernel has not taken yet."""
        return self.transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        """Write a ready frame, unless the socket is closing."""
        if self._session is not None:
            self.transport.write(frame)
            self._session.sent(frame)

    def ping(self) -> None:
        """Ping the client. Without a pong within `ws_ping_timeout` the connection is aborted."""
        if self.pending_ping_payload is None:
            self.send_keepalive_ping()

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Send a close frame and wait for the answer. Does nothing when the socket is closing already."""
        self._close(code, reason, self.close_handshake_timeout)

    def _close(self, code: CloseCode, reason: str, grace: float) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self._release(code)
        if self.conn.state is OPEN:
            self.conn.send_close(code, _truncate_reason(reason))
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(grace, self.transport.abort)

    def _release(self, code: int | None = None) -> None:
        """End the session, before anything that ends the socket."""
        self.stop_keepalive()
        if self._session is not None:
            session, self._session = self._session, None
            session.closed(code)

    # Called by the server

    def shutdown(self) -> None:
        """Close the socket with 1012."""
        if self._attached:
            self.close(CloseCode.RESTART, "Server restart")
        else:
            super().shutdown()

    async def run_asgi(self) -> None:
        """Run the ASGI application, and free its state once a session is attached."""
        cast("dict[str, object]", self.scope["extensions"])[EXTENSION] = self
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            self.logger.exception("Exception in ASGI application")
            self.send_500_response()
        if self._attached and self.handshake_complete:
            self._stop_handshake_timer()
            self._release_asgi_state()
        elif self.close_timer is None:
            self.transport.close()

    def _stop_handshake_timer(self) -> None:
        if self._handshake_timer is not None:
            self._handshake_timer.cancel()
            self._handshake_timer = None

    def _release_asgi_state(self) -> None:
        retired = _NullQueue()
        self.queue = cast("Any", retired)
        self.writable = cast("Any", retired)
        del self.scope, self.request, self.response

    # Events from the client

    def send_receive_event_to_app(self) -> None:
        """Hand a complete message to the session."""
        if not self._attached:
            super().send_receive_event_to_app()
            return
        text = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self._session is None:
            return
        if self.curr_msg_data_type == "text":
            self._session.received(text)
        else:
            self._session.received_binary()

    def handle_cont(self, event: Frame) -> None:
        """Also limit the fragments of a message."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self.frames = []
            self.close(CloseCode.BAD_REQUEST, "The message has too many fragments")
        elif not self.close_sent:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Also notify the session."""
        super().handle_ping()
        if self._session is not None:
            self._session.pinged()

    def handle_pong(self, event: Frame) -> None:
        """Also notify the session."""
        super().handle_pong(event)
        if self._session is not None:
            self._session.pinged()

    def handle_close(self, event: Frame) -> None:
        """Also end the session."""
        self._release()
        super().handle_close(event)

    def handle_parser_exception(self) -> None:
        """Send a close frame, and keep reading without parsing until the connection is aborted."""
        # A connection closed with unread bytes is reset, and the reset can overtake the close frame.
        if self.close_sent:
            return
        self._release(self.conn.close_sent.code if self.conn.close_sent else None)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(self.abort_delay, self.transport.abort)

    # Clients that are slow or silent

    def pause_writing(self) -> None:
        """Also start the timeout of a client that does not read."""
        super().pause_writing()
        if self._stall_timer is None:
            self._start_stall_timer()

    def resume_writing(self) -> None:
        """Also cancel the timeout, and notify the session."""
        super().resume_writing()
        self._stop_stall_timer()
        if self._session is not None:
            self._session.resumed()

    def _start_stall_timer(self) -> None:
        self._backlog = self.pending
        self._stall_timer = self.loop.call_later(self.stall_timeout, self._on_stall)

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _on_stall(self) -> None:
        self._stall_timer = None
        if self.pending < self._backlog:
            # Slow, but reading.
            self._start_stall_timer()
        elif self.close_sent or self.transport.is_closing():
            self.transport.abort()
        else:
            if self._session is not None:
                self._session.stalled()
            self._close(CloseCode.TRY_AGAIN_LATER, "Reading too slowly", self.abort_delay)

    def schedule_ping(self) -> None:
        """Do nothing for an attached socket: its session pings, from one timer for all sockets."""
        if not self._attached:
            super().schedule_ping()

    def keepalive_timeout(self) -> None:
        """Close the socket of a client that did not answer a ping."""
        self.pong_timer = None
        self.pending_ping_payload = None
        self._close(CloseCode.TRY_AGAIN_LATER, "No answer to a ping", self.abort_delay)


def _truncate_reason(reason: str) -> str:
    """Return `reason` cut to the 123 bytes of UTF-8 that a close frame can hold."""
    return reason.encode()[:123].decode(errors="ignore")
