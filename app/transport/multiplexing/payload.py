"""Encoded execution results, made once for all subscribers."""

from __future__ import annotations

FINAL_TEXT_FRAME = 0x81


def text_header(length: int) -> bytes:
    """Return the header of an unfragmented, unmasked text frame of `length` bytes."""
    if length < 126:
        return bytes((FINAL_TEXT_FRAME, length))
    if length < 65536:
        return bytes((FINAL_TEXT_FRAME, 126)) + length.to_bytes(2, "big")
    return bytes((FINAL_TEXT_FRAME, 127)) + length.to_bytes(8, "big")


class Payload:
    """One encoded execution result, made once for any number of clients.

    `opening` marks the first event of an execution: a snapshot, which must not be conflated away. `changed_at` is when
    what it reports happened, in Unix time, if that is known.
    """

    __slots__ = ("_headers", "_tail", "body", "changed_at", "opening")

    def __init__(self, body: bytes, *, opening: bool = False, changed_at: float | None = None) -> None:
        self.body = body
        self.changed_at = changed_at
        self.opening = opening
        self._tail = body + b"}"
        self._headers: dict[int, bytes] = {}

    def frame(self, prefix: bytes) -> bytes:
        """Return the frame of the `next` message that begins with `prefix`.

        The header depends on the length alone, and most ids have the same length, so it is made once per length.
        """
        length = len(prefix)
        header = self._headers.get(length)
        if header is None:
            header = self._headers[length] = text_header(length + len(self._tail))
        return b"".join((header, prefix, self._tail))


def conflate(pending: tuple[Payload, ...], payload: Payload) -> tuple[Payload, ...]:
    """Return the pending payloads of a slow reader with `payload`: the newest, after the snapshot if that is unsent."""
    if pending and pending[0].opening:
        return pending[0], payload
    return (payload,)
