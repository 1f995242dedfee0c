"""What the protocol tells whoever a socket belongs to."""

from __future__ import annotations

from typing import Protocol


class Session(Protocol):
    """Who a socket belongs to once it is adopted. Called from the event loop; nothing here may block or raise."""

    def received(self, text: bytes) -> None:
        """A text message of at most `ws_max_size` bytes; not checked to be UTF-8."""

    def received_binary(self) -> None:
        """A binary message."""

    def pinged(self) -> None:
        """A ping, which is answered already, or a pong."""

    def resumed(self) -> None:
        """All that was written has been taken by the kernel, after a time when it was not."""

    def closed(self, code: int | None) -> None:
        """The socket is closing, and from now on nothing may be written. Called once.

        `code` is what the server closes it with, None when the client closed or was lost.
        """
