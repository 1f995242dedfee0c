"""Encoded execution results, made once for all who receive them."""

from __future__ import annotations

TEXT_AND_FINAL = 0x81


def text_header(length: int) -> bytes:
    """The header of an unfragmented, unmasked text frame of `length` bytes."""
    if length < 126:
        return bytes((TEXT_AND_FINAL, length))
    if length < 65536:
        return bytes((TEXT_AND_FINAL, 126)) + length.to_bytes(2, "big")
    return bytes((TEXT_AND_FINAL, 127)) + length.to_bytes(8, "big")


class Payload:
    """One encoded execution result, made once for however many clients receive it.

    `opening` marks the first event of an execution: a snapshot, which must not be conflated away.
    """

    __slots__ = ("_headers", "_tail", "body", "opening")

    def __init__(self, body: bytes, *, opening: bool = False) -> None:
        self.body = body
        self.opening = opening
        self._tail = body + b"}"
        self._headers: dict[int, bytes] = {}

    def frame(self, prefix: bytes) -> bytes:
        """The `next` message of the operation that `prefix` was made for.

        The header depends on the length alone, and ids are mostly of one length, so it is made once per length.
        """
        length = len(prefix)
        header = self._headers.get(length)
        if header is None:
            header = self._headers[length] = text_header(length + len(self._tail))
        return b"".join((header, prefix, self._tail))


def conflate(pending: tuple[Payload, ...], payload: Payload) -> tuple[Payload, ...]:
    """What is owed to a slow reader once `payload` is: the newest state, after the snapshot if that is still unsent."""
    if pending and pending[0].opening:
        return pending[0], payload
    return (payload,)
