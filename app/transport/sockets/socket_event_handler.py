"""The interface by which the WebSocket protocol hands events to the owner of a socket."""

from __future__ import annotations

from typing import Protocol


class SocketEventHandler(Protocol):
    """The owner of an attached socket. Called from the event loop; no method may block or raise."""

    def received(self, text: bytes) -> None:
        """Handle a text message of at most `ws_max_size` bytes; it is not checked to be UTF-8."""

    def received_binary(self) -> None:
        """Handle a binary message."""

    def pinged(self) -> None:
        """Handle a ping, which is answered already, or a pong."""

    def sent(self, frame: bytes) -> None:
        """Take note of a message that was written."""

    def stalled(self) -> None:
        """Take note that the client does not read; the socket is about to be closed."""

    def resumed(self) -> None:
        """Handle that the kernel has taken everything written, after a time when it had not."""

    def closed(self, code: int | None) -> None:
        """Handle that the socket is closing; from now on nothing may be written. Called once.

        Args:
            code: The close code that the server sends, None when the client closed or was lost.
        """
