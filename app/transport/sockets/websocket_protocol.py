"""The WebSocket protocol of the server: uvicorn's own, made safe against clients that stop reading."""

from __future__ import annotations

import asyncio
import socket
from asyncio import BaseTransport, TimerHandle
from typing import Any, ClassVar, cast

from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.protocol import OPEN

from app.transport.sockets.close_codes import CloseCode
from app.transport.sockets.session import Session

EXTENSION = "leaderboard.socket"
"""Where the ASGI scope of a socket has its `SocketProtocol`, in `extensions`."""

SEND_BUFFER = 32 * 1024
"""Bytes the kernel may hold for one socket (Linux reserves twice that): about twenty boards."""

FRAGMENTS = 64
"""Frames one message may come in. Empty fragments cost the sender nothing, and each takes memory here."""


class _NullQueue:
    """Takes the place of the queue and the flag that only an ASGI task would use. They are 3 KB of a socket."""

    def put_nowait(self, _event: object) -> None: ...

    def set(self) -> None: ...

    def clear(self) -> None: ...


class SocketProtocol(WebSocketsSansIOProtocol):
    """Serves an ASGI application until that hands the socket over to a `Session`, and the session from then on.

    An adopted socket has no task, no queue and no scope: messages are method calls, and frames go straight to the
    transport. What is guaranteed:

    - Frames are whole and in order, and none is written after the close frame.
    - The write buffer is empty or the client is slow: `pending` is what the kernel has not taken yet. A client that
      takes nothing for `stall_timeout` seconds gets 1013, and loses the connection `cut_grace` seconds later.
    - A client that does not answer a ping, or a close frame for `close_grace` seconds, loses the connection too. None
      can hold it open by not reading, which `transport.close()` alone would allow.
    """

    stall_timeout: ClassVar[float] = 3.0
    cut_grace: ClassVar[float] = 1.0
    close_grace: ClassVar[float] = 5.0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.close_timeout = self.close_grace
        self._session: Session | None = None
        self._adopted = False
        self._stall_timer: TimerHandle | None = None
        self._backlog = 0

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=0)
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_stall_timer()
        self._release()
        super().connection_lost(exc)
        # The parser is a generator whose frame refers to its owner: unbroken, every lost socket is left to the
        # garbage collector.
        self.conn.parser.close()

    # What a session does with its socket

    def adopt(self, session: Session) -> None:
        """Hand the socket over. Called by the ASGI application before it accepts; it returns right afterwards.

        Raises ClientDisconnected when the client has gone already.
        """
        if self.disconnected:
            raise ClientDisconnected
        self._session = session
        self._adopted = True
        if self.read_paused:
            # A client spoke before it was accepted, which it must not: those messages are dropped.
            self.read_paused = False
            self.transport.resume_reading()

    @property
    def pending(self) -> int:
        """Bytes written that the kernel has not taken yet."""
        return self.transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        """Write a ready frame, unless the socket is closing."""
        if self._session is not None:
            self.transport.write(frame)

    def ping(self) -> None:
        """Ping the client; unanswered within `ws_ping_timeout` the connection is cut."""
        if self.pending_ping_payload is None:
            self.send_keepalive_ping()

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Send a close frame and wait for the answer. Does nothing when the socket is closing already."""
        self._close(code, reason, self.close_grace)

    def _close(self, code: CloseCode, reason: str, grace: float) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self._release(code)
        if self.conn.state is OPEN:
            self.conn.send_close(code, _fitting(reason))
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(grace, self.transport.abort)

    def _release(self, code: int | None = None) -> None:
        """End the session, before anything that ends the socket."""
        self.stop_keepalive()
        if self._session is not None:
            session, self._session = self._session, None
            session.closed(code)

    # What the server does with the socket

    def shutdown(self) -> None:
        if self._adopted:
            self.close(CloseCode.RESTART, "Server restart")
        else:
            super().shutdown()

    async def run_asgi(self) -> None:
        cast("dict[str, object]", self.scope["extensions"])[EXTENSION] = self
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            self.logger.exception("Exception in ASGI application")
            self.send_500_response()
        if self._adopted and self.handshake_complete:
            self._shed()
        elif self.close_timer is None:
            self.transport.close()

    def _shed(self) -> None:
        retired = _NullQueue()
        self.queue = cast("Any", retired)
        self.writable = cast("Any", retired)
        del self.scope, self.request, self.response

    # What the client does

    def send_receive_event_to_app(self) -> None:
        if not self._adopted:
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
        if len(self.frames) >= FRAGMENTS:
            self.frames = []
            self.close(CloseCode.BAD_REQUEST, "The message has too many fragments")
        elif not self.close_sent:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        super().handle_ping()
        if self._session is not None:
            self._session.pinged()

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        if self._session is not None:
            self._session.pinged()

    def handle_close(self, event: Frame) -> None:
        self._release()
        super().handle_close(event)

    def handle_parser_exception(self) -> None:
        # Nothing more is parsed, but it is read: a connection closed with unread bytes is reset, and the reset can
        # overtake the close frame.
        if self.close_sent:
            return
        self._release(self.conn.close_sent.code if self.conn.close_sent else None)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(self.cut_grace, self.transport.abort)

    # Clients that are slow or silent

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall_timer is None:
            self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_stall_timer()
        if self._session is not None:
            self._session.resumed()

    def _watch(self) -> None:
        self._backlog = self.pending
        self._stall_timer = self.loop.call_later(self.stall_timeout, self._stalled)

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _stalled(self) -> None:
        self._stall_timer = None
        if self.pending < self._backlog:
            # Slow, but reading.
            self._watch()
        elif self.close_sent or self.transport.is_closing():
            self.transport.abort()
        else:
            self._close(CloseCode.TRY_AGAIN_LATER, "Reading too slowly", self.cut_grace)

    def schedule_ping(self) -> None:
        # The session pings an adopted socket, from one timer for all.
        if not self._adopted:
            super().schedule_ping()

    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        self.pending_ping_payload = None
        self._close(CloseCode.TRY_AGAIN_LATER, "No answer to a ping", self.cut_grace)


def _fitting(reason: str) -> str:
    """`reason` cut to what a close frame can hold, 123 bytes of UTF-8."""
    return reason.encode()[:123].decode(errors="ignore")
